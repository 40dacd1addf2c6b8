import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { request as httpRequest } from 'node:http'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { text as readText } from 'node:stream/consumers'
import t from 'tap'
import { basic, temporaryFolder } from './support/app.ts'
import { takesLong } from './support/needs.ts'
import { plainNode } from './support/plain-node.ts'
import { startServer, type RowhouseServer } from './support/rowhouse-process.ts'

const root = fileURLToPath(new URL('..', import.meta.url))
const example = join(root, 'examples/todo')
const [node, ...words] = plainNode()
const me = basic('me@example.com', 'my password')
const you = basic('you@example.com', 'your:password é')
const json = { 'content-type': 'application/json' }
const form = { 'content-type': 'application/x-www-form-urlencoded' }

interface Task {
  readonly title: string
  readonly done: boolean
  readonly id: string
}

/** The example as a process of its own, with two users who were added from the command line. */
async function startExample(t: { teardown(work: () => unknown): void }): Promise<{ readonly server: RowhouseServer; readonly data: string }> {
  const data = await temporaryFolder(t)
  const server = await startServer(t, example, ['--data', data])
  for (const [email, password] of [['me@example.com', 'my password'], ['you@example.com', 'your:password é']] as const) {
    const child = spawn(node, [...words, join(root, 'dist/bin/rowhouse.js'), 'users', 'add', email, '--data', data], { stdio: ['pipe', 'inherit', 'inherit'] })
    child.stdin.end(`${password}\n`)
    await once(child, 'exit')
  }
  return { server, data }
}

function client(server: RowhouseServer): (path: string, options?: RequestInit) => Promise<Response> {
  return (path, options) => fetch(`${server.url}/_/api${path}`, options)
}

const pathOf = (id: string): string => `/tasks/${encodeURIComponent(id)}`

t.test('the to-do example keeps the tasks of two users apart, from creation to deletion', { skip: takesLong('it checks a password for each of dozens of requests') }, async (t) => {
  const { server } = await startExample(t)
  const ask = client(server)
  const list = async (headers: Record<string, string>): Promise<Task[]> => (await (await ask('/tasks', { headers })).json()) as Task[]

  t.test('hello world answers, whatever else is sent', async (t) => {
    t.equal(await (await ask('/hello-world?x=1&y=2')).text(), '{"the answer is":42}')
  })

  t.test('without the right credentials there is one answer for every cause', async (t) => {
    for (const headers of [{}, basic('me@example.com', 'wrong'), basic('nobody@example.com', 'my password'), { authorization: 'Basic ???' }]) {
      const answer = await ask('/tasks', { headers })
      t.equal(answer.status, 401)
      t.match(answer.headers.get('www-authenticate'), /^Basic realm="/)
      t.equal(await answer.text(), 'Unauthorized')
    }
  })

  t.test('a task is created by form and by JSON, and belongs to its creator', async (t) => {
    const byForm = await ask('/new_task', { method: 'POST', headers: { ...me, ...form }, body: 'title=a%20b+c%26d&foo=y' })
    t.equal(byForm.status, 200)
    const { id } = (await byForm.json()) as Task
    t.match(id, /^\[\d+,\d+\]$/)
    t.equal((await ask('/new_task', { method: 'POST', headers: { ...me, ...json }, body: '{"title":"größe"}' })).status, 200)
    t.same((await list(me)).map(({ title, done }) => [title, done]), [['a b c&d', false], ['größe', false]])
    t.same(await list(you), [])
    await ask('/new_task', { method: 'POST', headers: { ...you, ...form }, body: 'title=yours' })
    t.same((await list(you)).map(({ title }) => title), ['yours'])
    t.equal((await list(me)).length, 2)
  })

  t.test('a missing title answers 400 and names it, and nothing is created', async (t) => {
    for (const options of [{ headers: me }, { headers: { ...me, ...json }, body: '{}' }, { headers: { ...me, 'content-type': 'text/plain' }, body: '{"title":"x"}' }]) {
      const answer = await ask('/new_task', { method: 'POST', ...options })
      t.equal(answer.status, 400)
      t.match(await answer.text(), 'missing parameter: title')
    }
    t.equal((await list(me)).length, 2)
  })

  t.test('a wrong method answers 405 with Allow, and asks for no credentials', async (t) => {
    const answer = await ask('/new_task')
    t.equal(answer.status, 405)
    t.equal(answer.headers.get('allow'), 'POST, OPTIONS')
    t.equal((await ask(pathOf('[2,1]'), { method: 'PATCH', headers: me })).headers.get('allow'), 'GET, PUT, DELETE, HEAD, OPTIONS')
  })

  t.test('GET, PUT and DELETE work on the URL of a task; PUT leaves what is not sent', async (t) => {
    const [first] = await list(me)
    if (first === undefined) throw new Error('there is no task')
    const at = pathOf(first.id)
    const put = async (body: string): Promise<unknown> => (await ask(at, { method: 'PUT', headers: { ...me, ...json }, body })).json()
    t.same(await (await ask(at, { headers: me })).json(), first)
    t.same(await put('{"done":true}'), { ...first, done: true })
    t.same(await put('{"title":"x","id":"[2,99]","owner":null}'), { title: 'x', done: true, id: first.id }, 'only title and done can be changed')
    t.same(await put('{}'), { title: 'x', done: true, id: first.id })
    t.equal((await ask(at, { method: 'PUT', headers: { ...me, ...json }, body: '{"done":"yes"}' })).status, 400)
    t.equal((await ask(at, { method: 'PUT', headers: me, body: 'done=true' })).status, 400, 'without a JSON type there is no JSON')
    t.equal((await ask(at, { method: 'PUT', headers: { ...me, ...json }, body: '{"done":' })).status, 400)
    t.same(await (await ask(at, { headers: me })).json(), { title: 'x', done: true, id: first.id })
    const deleted = await ask(at, { method: 'DELETE', headers: me })
    t.equal(deleted.status, 200)
    t.equal(deleted.headers.get('content-type'), 'application/json')
    t.equal(await deleted.text(), 'null')
    t.equal((await list(me)).length, 1)
  })

  t.test("another user's id, a deleted one and a bogus one look the same, and change nothing", async (t) => {
    const [yours] = await list(you)
    if (yours === undefined) throw new Error('there is no task')
    const [table] = JSON.parse(yours.id) as [number]
    const bogus = ['abc', '[1,2,3]', '[2, 1]', `[${table},999999]`, '[1,1]', '9'.repeat(3000), '[-1,0]', '__proto__', 'null']
    const answers = new Set<string>()
    for (const id of [yours.id, `[${table},1]`, ...bogus]) {
      for (const method of ['GET', 'PUT', 'DELETE']) {
        const answer = await ask(pathOf(id), { method, headers: { ...me, ...json }, ...(method === 'PUT' && { body: '{"title":"stolen"}' }) })
        answers.add(JSON.stringify([answer.status, await answer.text(), [...answer.headers].filter(([name]) => name !== 'date' && name !== 'x-request-id')]))
      }
    }
    t.equal(answers.size, 1, [...answers].join('\n'))
    t.match([...answers][0], /^\[404,"",/)
    t.same(await list(you), [yours])
    const outgoing = httpRequest(`${server.url}/_/api/tasks/%00`, { headers: me }).end()
    const [answer] = (await once(outgoing, 'response')) as [NodeJS.ReadableStream & { statusCode: number }]
    t.equal(answer.statusCode, 400, await readText(answer))
  })
})

t.test('the tasks and their ids are there after a restart', { skip: takesLong('it starts several servers') }, async (t) => {
  const { server, data } = await startExample(t)
  const add = async (at: RowhouseServer, title: string): Promise<Task> =>
    (await (await client(at)('/new_task', { method: 'POST', headers: { ...me, ...form }, body: `title=${title}` })).json()) as Task
  const first = await add(server, 'first')
  const removed = await add(server, 'removed')
  await client(server)(pathOf(removed.id), { method: 'DELETE', headers: me })
  server.child.kill('SIGTERM')
  t.equal((await server.ended).code, 0)
  const again = await startServer(t, example, ['--data', data])
  const next = await add(again, 'next')
  t.not(next.id, removed.id, 'an id is never given twice')
  t.same(await (await client(again)('/tasks', { headers: me })).json(), [
    { title: 'first', done: false, id: first.id },
    { title: 'next', done: false, id: next.id },
  ])
})
