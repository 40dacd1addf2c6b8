import { join } from 'node:path'
import { parse } from 'node:querystring'
import Database from 'better-sqlite3'
import { fastify } from 'fastify'
import { profile, rows } from './answers.js'
import { report } from './control.js'

/** What one writes by hand: Fastify and better-sqlite3, prepared statements, WAL with synchronous=NORMAL, one transaction for each write. */
const [directory] = process.argv.slice(2)
if (directory === undefined) throw new Error('usage: hand-written.js <folder>')
const database = new Database(join(directory, 'hand-written.db'))
database.pragma('journal_mode = WAL')
database.pragma('synchronous = NORMAL')
database.exec('CREATE TABLE tasks (id INTEGER PRIMARY KEY, title TEXT, done INTEGER, owner INTEGER); CREATE INDEX tasks_owner ON tasks (owner)')

interface Task {
  readonly id: number
  readonly title: string | null
  readonly done: number | null
}

const one = database.prepare<[number], Task>('SELECT id, title, done FROM tasks WHERE id = ?')
const list = database.prepare<[number], Task>('SELECT id, title, done FROM tasks WHERE owner IS NULL ORDER BY id LIMIT ?')
const insert = database.prepare<[string, number | null]>('INSERT INTO tasks (title, done, owner) VALUES (?, 0, ?)')
database.transaction(() => {
  for (let index = 0; index < rows.stored; index++) insert.run(`Task number ${index}`, index % 100 === 0 ? 1 : null)
})()

const view = ({ id, title, done }: Task) => ({ title, done: done === 1, id: `[2,${id}]` })

const server = fastify()
server.addContentTypeParser('application/x-www-form-urlencoded', { parseAs: 'string' }, (_request, body, done) => done(null, parse(String(body))))
server.get<{ Params: { id: string }; Querystring: { page?: string } }>('/_/api/profiles/:id', async ({ params, query }) => profile(params.id, Number(query.page ?? 1)))
server.get<{ Params: { id: string } }>('/_/api/tasks/:id', async ({ params }) => {
  const task = one.get(Number(/^\[2,(\d+)\]$/.exec(params.id)?.[1]))
  return task === undefined ? null : view(task)
})
server.get('/_/api/tasks', async () => list.all(rows.listed).map(view))
server.post<{ Body: { title: string } }>('/_/api/tasks', async ({ body }) => ({ id: `[2,${insert.run(body.title, null).lastInsertRowid}]` }))
const url = await server.listen({ port: 0, host: '127.0.0.1' })
report(Number(new URL(url).port))
