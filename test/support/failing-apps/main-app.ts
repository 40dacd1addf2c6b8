import {
  boolean,
  crudEndpoints,
  date,
  datetime,
  httpEndpoint,
  HttpError,
  integer,
  json,
  number,
  optional,
  pick,
  request,
  requiresAuth,
  route,
  text,
  type StandardSchema,
} from 'rowhouse'
import { startApp } from '../app.ts'
import { api, get, type FailingApp, type Test } from '../asked.ts'
import { bodyCases, parameterCases, rowCases, statusCases, wireCases } from './main-cases.ts'
import { declareRefused, declareTables, sentFor, type AppTables } from './refusing-tables.ts'
import { declareThrown } from './throwing.ts'

/** A schema that finds fault with whatever it gets. */
function faults(
  ...issues: { readonly message: string; readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] }[]
): StandardSchema {
  return { '~standard': { version: 1, vendor: 'test', validate: () => ({ issues }) } }
}

const laterFaults: StandardSchema = {
  '~standard': { version: 1, vendor: 'test', validate: () => Promise.resolve({ issues: [{ message: 'found late' }] }) },
}

function declareParameters(): void {
  const kinds = {
    text: text(),
    number: number(),
    integer: integer(),
    boolean: boolean(),
    date: date(),
    datetime: datetime(),
    json: json(),
  }
  httpEndpoint('/typed', { params: kinds }, (args) => args)
  httpEndpoint(
    '/typed/:integer',
    { params: { integer: integer(), rank: integer().default(3), note: optional(text()) } },
    (args) => args,
  )
  httpEndpoint(
    '/schema',
    { params: { page: faults({ message: 'no page' }, { message: 'deeper', path: ['a', 0, { key: 'b c' }] }) } },
    (args) => args,
  )
  httpEndpoint('/later', { params: { page: laterFaults, count: integer() } }, (args) => args)
  const wrongBody = faults(
    { message: 'expected a number', path: ['items', 2, 'price'] },
    { message: 'unknown member', path: [{ key: 'odd name' }] },
    { message: 'too short' },
  )
  httpEndpoint('/body', { methods: ['POST', 'PUT'], body: wrongBody }, () => 1)
  httpEndpoint('/both', { methods: ['POST'], params: { count: integer() }, body: wrongBody }, () => 1)
  httpEndpoint('/json', { methods: ['POST'], decompress: true }, () => request.bodyJson)
  httpEndpoint('/form', { methods: ['POST'] }, () => request.formParams)
  httpEndpoint('/short-form', { methods: ['POST'], decodeLimit: 10 }, () => request.formParams)
  httpEndpoint('/short-json', { methods: ['POST'], decodeLimit: 10 }, () => request.bodyJson)
  httpEndpoint('/pick', { methods: ['POST'] }, () => pick<{ title: string }>(request.bodyJson, ['title']))
  httpEndpoint('/small', { methods: ['POST'], bodyLimit: 10, decompress: true }, () => 1)
}

function declareMain(tables: AppTables): void {
  for (const [path, handler] of Object.entries(declareThrown())) httpEndpoint(`/thrown/${path}`, handler)
  for (const [path, handler] of Object.entries(declareRefused(tables))) httpEndpoint(`/refused/${path}`, handler)
  declareParameters()
  httpEndpoint('/me', { authenticateUsers: true }, () => 1)
  httpEndpoint('/judged', { requireCredentials: true }, () => 1)
  httpEndpoint(
    '/guarded',
    requiresAuth(() => false)(() => 1),
  )
  httpEndpoint(
    '/challenged',
    requiresAuth(() => false, { challenge: ['Bearer', 'Basic realm="x"'] })(() => 1),
  )
  httpEndpoint(
    '/odd-guard',
    requiresAuth((() => 1) as never)(() => 1),
  )
  route('/articles/<int:id>', { methods: ['GET', 'PUT'] }, ({ id }) => id)
  route('/boom', () => {
    throw new Error('a secret')
  })
  crudEndpoints('/tasks', tables.tasks, {
    public: true,
    columns: ['title', 'done', 'rank', 'weight', 'due', 'at', 'extra', 'weather', 'code', 'project', 'tags'],
    readOnly: ['done'],
  })
  crudEndpoints('/own', tables.projects, { ownedBy: 'lead', authenticateUsers: true })
  crudEndpoints('/checked', tables.tags, {
    public: true,
    validate: () => {
      throw new HttpError(422, 'never good enough', { rule: 1 })
    },
  })
  crudEndpoints('/hiding', tables.broken, { public: true, validate: (values) => values })
}

/** An app with nearly everything in it. */
export async function mainApp(t: Test): Promise<FailingApp> {
  let declared: AppTables | null = null
  const { server, port } = await startApp(t, () => {
    const tables = (declared = declareTables())
    declareMain(tables)
    crudEndpoints('/linked', tables.projects, { public: true, columns: ['name'] })
  })
  const tables = declared as AppTables | null
  if (tables === null) throw new Error('the app has declared no tables')
  await server.rowhouse.users.add('me@example.com', 'my password')
  const you = await server.rowhouse.users.add('you@example.com', 'your password', { nickname: 'you' })
  // The row of the service is of the same table, which the compiler does not know.
  const project = await tables.projects.addRow({ name: 'known', lead: you as never })
  await tables.tasks.addRow({ title: 'known', code: 'known', project })
  return {
    port,
    cases: {
      ...statusCases,
      ...bodyCases,
      ...parameterCases,
      ...rowCases(project.getId()),
      ...Object.fromEntries(
        Object.keys(declareThrown()).map((path) => [`thrown: ${path}`, get(`${api}/thrown/${path}`)]),
      ),
      ...Object.fromEntries(
        Object.keys(declareRefused(tables)).map((path) => [`refused: ${path}`, get(`${api}/refused/${path}?${sentFor(path)}`)]),
      ),
      'thrown by a route': get('/boom'),
      'an error for who accepts nothing of it': {
        line: 'GET /nothing',
        headers: { accept: 'image/png' },
        only: ['text'],
      },
      ...wireCases,
    },
  }
}
