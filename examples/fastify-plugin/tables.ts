import { datetime, defineTables, table, text } from 'rowhouse'

export const tables = defineTables({
  lines: table({ room: text().required(), text: text().required(), said: datetime().default(() => new Date()) }),
})
