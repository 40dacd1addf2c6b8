import { boolean, defineTables, link, table, text } from 'rowhouse'

export const tables = defineTables({
  tasks: table({ title: text().required(), done: boolean().default(false), owner: link('users') }),
})
