import { defineTables, table, text } from 'rowhouse'

export const tables = defineTables({
  people: table({ name: text().required(), email: text().required() }),
})
