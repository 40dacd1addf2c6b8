import t, { type Test } from 'tap'
import { boolean, defineTables, getAppOrigin, HttpResponse, integer, pick, request, route, table, text, urlFor, type Row } from 'rowhouse'
import { startApp } from './support/app.ts'
import { openPage } from './support/browser.ts'
import { needs, takesLong } from './support/needs.ts'

/** A back end as the Todo-Backend project asks for it, whose tests are a page of another origin. */
const define = (): void => {
  const { todos } = defineTables({ todos: table({ title: text(), completed: boolean().default(false), order: integer() }) })

  const todo = ({ id, title, completed, order }: Row<typeof todos>) => ({ title, completed, order, url: new URL(urlFor('todo', { id }), getAppOrigin() ?? undefined).href })

  route('/', () => todos.search().map(todo))
  route('/', { methods: ['POST'], params: { title: text() } }, async () => new HttpResponse(201, todo(await todos.addRow({ title: '', ...pick(request.bodyJson, ['title', 'order']) }))))
  route('/', { methods: ['DELETE'] }, async () => void (await todos.search().delete()))
  route('/todos/:id', { methods: ['GET', 'PATCH', 'DELETE'], name: 'todo' }, async ({ id }) => {
    const row = await todos.getById(id)
    if (row === null) return new HttpResponse(404)
    if (request.method === 'DELETE') return void (await row.delete())
    if (request.method === 'PATCH') await row.update(pick(request.bodyJson, ['title', 'completed', 'order']))
    return todo(row)
  })
}

interface Todo {
  readonly title: string
  readonly completed: boolean
  readonly order: number | null
  readonly url: string
}

/** Sends a request as a page of another origin would, and resolves to the JSON that it may read. */
type Ask = (method: string, url: string, body?: object) => Promise<unknown>

/** What the back end promises to such a page. */
async function followRules(t: Test, root: string, ask: Ask): Promise<void> {
  const list = async (): Promise<readonly Todo[]> => (await ask('GET', root)) as Todo[]
  const add = async (todo: object): Promise<Todo> => (await ask('POST', root, todo)) as Todo

  await ask('DELETE', root)
  t.same(await list(), [])

  const milk = await add({ title: 'buy milk' })
  t.match(milk, { title: 'buy milk', completed: false })
  t.equal(new URL(milk.url).origin, new URL(root).origin, 'each has a URL of its own')
  t.same(await ask('GET', milk.url), milk)
  t.same(await list(), [milk])

  const bread = await add({ title: 'bake bread', order: 95 })
  t.equal(bread.order, 95)
  t.not(bread.url, milk.url)
  t.equal((await list()).length, 2)

  t.match(await ask('PATCH', milk.url, { title: 'buy oat milk' }), { title: 'buy oat milk', completed: false })
  t.match(await ask('PATCH', milk.url, { completed: true }), { title: 'buy oat milk', completed: true })
  t.match(await ask('PATCH', milk.url, { order: 10 }), { order: 10 })
  t.match(await ask('GET', milk.url), { title: 'buy oat milk', completed: true, order: 10, url: milk.url })
  t.match((await list()).find(({ url }) => url === milk.url), { completed: true, order: 10 })

  await ask('DELETE', milk.url)
  t.same(await list(), [bread])
  await ask('DELETE', root)
  t.same(await list(), [])
}

const simple: ReadonlySet<string> = new Set(['GET', 'HEAD', 'POST'])

/** Follows the rules that browsers follow. @throws Error where one would hand the page nothing */
function pageOf(origin: string): Ask {
  return async (method, url, body) => {
    const isAsked = body !== undefined || !simple.has(method)
    if (isAsked) {
      const headers = { origin, 'access-control-request-method': method, ...(body !== undefined && { 'access-control-request-headers': 'content-type' }) }
      const { ok, headers: allowed } = await fetch(url, { method: 'OPTIONS', headers })
      const names = (name: string): string[] => (allowed.get(name) ?? '').split(', ')
      const isLetIn = names('access-control-allow-origin').some((name) => name === '*' || name === origin)
      const isMethod = simple.has(method) || names('access-control-allow-methods').includes(method)
      const isHeader = body === undefined || names('access-control-allow-headers').includes('content-type')
      if (!ok || !isLetIn || !isMethod || !isHeader) throw new Error(`the preflight for ${method} ${url} is not let in`)
    }
    const answer = await fetch(url, { method, headers: { origin, ...(body !== undefined && { 'content-type': 'application/json' }) }, ...(body !== undefined && { body: JSON.stringify(body) }) })
    const allowed = answer.headers.get('access-control-allow-origin')
    if (!answer.ok || (allowed !== '*' && allowed !== origin)) throw new Error(`the answer to ${method} ${url} is not handed over`)
    return answer.json()
  }
}

t.test('a to-do back end is open to a page of another origin by one setting', { skip: takesLong('it loads an app with all that its rules ask') }, async (t) => {
  const { url } = await startApp(t, define, { cors: true })
  await followRules(t, `${url}/`, pageOf('https://todobackend.example'))
})

t.test('without that setting the same back end is closed to it', { skip: takesLong('it loads an app with all that its rules ask') }, async (t) => {
  const { url } = await startApp(t, define)
  const ask = pageOf('https://todobackend.example')
  await t.rejects(ask('GET', `${url}/`), { message: /is not handed over/ })
  await t.rejects(ask('DELETE', `${url}/`), { message: /is not let in/ })
})

t.test('a browser lets a page of another origin use the back end', { skip: needs('a browser') }, async (t) => {
  const { url } = await startApp(t, define, { cors: true })
  const page = await startApp(t, () => route('/', () => new HttpResponse(200, '<!doctype html><link rel="icon" href="data:,"><title>test</title>', { 'content-type': 'text/html' })))
  const tab = await openPage(t)
  const messages: string[] = []
  tab.on('console', (message) => void messages.push(message.text()))
  await tab.goto(page.url)
  await followRules(t, `${url}/`, (method, target, body) => {
    const asked = { method, ...(body !== undefined && { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }) }
    return tab.evaluate(`fetch(${JSON.stringify(target)}, ${JSON.stringify(asked)}).then((response) => response.json())`)
  })
  t.same(messages, [])
})
