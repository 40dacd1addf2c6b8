import { boolean, createApp, defineTables, httpEndpoint, integer, link, table, text, users, type UserRow } from 'rowhouse'
import { account, profile, rows } from './answers.js'
import { report } from './control.js'

const shown: { owner: UserRow | null } = { owner: null }

const define = () => {
  const tables = defineTables({ tasks: table({ title: text(), done: boolean().default(false), owner: link('users') }) })
  const view = (task: { title: string | null; done: boolean | null; getId(): string }) => ({ title: task.title, done: task.done, id: task.getId() })

  httpEndpoint('/profiles/:id', { params: { page: integer().default(1) } }, ({ id, page }) => profile(id, page))
  httpEndpoint('/tasks/:id', async ({ id }) => {
    const task = await tables.tasks.getById(id)
    return task === null ? null : view(task)
  })
  httpEndpoint('/tasks', { methods: ['GET'] }, () => tables.tasks.search({ owner: null }, { limit: rows.listed }).map(view))
  httpEndpoint('/tasks', { methods: ['POST'], params: { title: text() } }, async ({ title }) => {
    const task = await tables.tasks.addRow({ title })
    return { id: task.getId() }
  })
  httpEndpoint('/mine', { authenticateUsers: true }, () => tables.tasks.search({ owner: users.getUser() }, { limit: rows.listed }).map(view))
  // The same rows as above, for anybody.
  httpEndpoint('/open', () => tables.tasks.search({ owner: shown.owner }, { limit: rows.listed }).map(view))
  return tables
}

const [directory] = process.argv.slice(2)
if (directory === undefined) throw new Error('usage: rowhouse.js <folder>')
let tables: ReturnType<typeof define> | undefined
const server = await createApp({ directory, define: () => (tables = define()), options: { data: directory, port: 0 } })
const owner = (shown.owner = await server.rowhouse.users.add(account.email, account.password))
await tables?.tasks.addRows(Array.from({ length: rows.stored }, (_, index) => ({ title: `Task number ${index}`, owner: index % 100 === 0 ? owner : null })))
const url = await server.listen({ port: 0, host: '127.0.0.1' })
report(Number(new URL(url).port))
