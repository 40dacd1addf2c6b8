import { mkdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import {
  createApp,
  defineTables,
  errorHandler,
  httpEndpoint,
  HttpError,
  HttpResponse,
  integer,
  table,
  TableError,
  text,
} from 'rowhouse'
import { startApp, temporaryFolder } from '../app.js'
import { api, get, raw, type FailingApp, type Test } from '../asked.js'
import { declareThrown } from './throwing.js'

/** An app whose errors are always JSON. */
export async function jsonApp(t: Test): Promise<FailingApp> {
  const { port } = await startApp(
    t,
    () => {
      httpEndpoint('/typed', { params: { count: integer() } }, (args) => args)
      httpEndpoint('/error', () => {
        throw new Error('a secret')
      })
    },
    { errors: 'json' },
  )
  return {
    port,
    cases: {
      'an unknown path': get('/nothing'),
      'a parameter of another type': get(`${api}/typed?count=x`),
      'an error that nobody expected': get(`${api}/error`),
      'two hosts': raw(`GET ${api}/typed HTTP/1.1`, 'host: a', 'host: b'),
      'no HTTP at all': { raw: () => 'nothing of the kind\r\n\r\n' },
      'headers that are too long': raw(`GET ${api}/typed HTTP/1.1`, 'host: a', `x-a: ${'x'.repeat(17_000)}`),
    },
  }
}

const accessKey = 'a-key-that-nobody-guesses-01'

/** An app that is not for everybody. */
export async function privateApp(t: Test): Promise<FailingApp> {
  const { port } = await startApp(
    t,
    () => {
      httpEndpoint('/hello', () => 'hello')
      errorHandler(405, () => 'of my own')
    },
    { private: { accessKey } },
  )
  return {
    port,
    cases: {
      'a known path without the key': get(`${api}/hello`),
      'the home without the key': get('/'),
      'a malformed path without the key': get('/%zz'),
      'another method without the key': { line: `DELETE ${api}/hello` },
      'an unknown path with the key': get(`/${accessKey}/nothing`),
      'an unknown path under the prefix with the key': get(`/${accessKey}${api}/nothing`),
      'another method with the key': { line: `DELETE /${accessKey}${api}/hello` },
      'two hosts without the key': raw(`GET ${api}/hello HTTP/1.1`, 'host: a', 'host: b'),
    },
  }
}

/** An app that is being developed. */
export async function debugApp(t: Test): Promise<FailingApp> {
  const { port } = await startApp(
    t,
    () => {
      for (const [path, handler] of Object.entries(declareThrown())) httpEndpoint(`/${path}`, handler)
      httpEndpoint('/several', () => {
        throw new TableError('several-rows', 'several rows of the table tasks')
      })
      httpEndpoint('/refused', () => {
        throw new TableError('wrong-type', 'of my own')
      })
    },
    { debug: true },
  )
  const paths = ['error', 'value', 'nothing', 'proxy', 'bigint', 'untold', 'own', 'conflict', 'several', 'refused']
  return {
    port,
    cases: {
      ...Object.fromEntries(paths.map((path) => [path, get(`${api}/${path}`)])),
      'an unknown path': get('/nothing'),
    },
  }
}

class Taken extends Error {
  constructor(readonly seat: number) {
    super(`seat ${seat} is taken`)
  }
}

/** An app with answers of its own. */
export async function handlingApp(t: Test): Promise<FailingApp> {
  const { port } = await startApp(t, () => {
    const { tags } = defineTables({ tags: table({ label: text().required().unique() }) })
    errorHandler(404, (error) => ({ status: error.status, message: error.message, details: error.details }))
    errorHandler(400, (error) => ({
      own: error.message,
      details: error.details,
      cause: error.cause === undefined ? null : String(error.cause),
    }))
    errorHandler(Taken, ({ seat }) => new HttpResponse(409, { taken: seat }))
    errorHandler(TableError, ({ code, message }) => ({ code, message }))
    errorHandler(401, () => 'who are you?')
    errorHandler(410, () => {
      throw new HttpError(412, 'of the handler', { more: 1 })
    })
    errorHandler(411, () => {
      throw new TypeError('a secret')
    })
    errorHandler(500, () => 'something went wrong')
    httpEndpoint('/me', { authenticateUsers: true }, () => 1)
    httpEndpoint('/typed', { params: { count: integer() } }, (args) => args)
    httpEndpoint('/taken', () => {
      throw new Taken(7)
    })
    httpEndpoint('/table', () => tags.addRow({} as never))
    httpEndpoint('/gone', () => {
      throw new HttpError(410, 'gone')
    })
    httpEndpoint('/length', () => {
      throw new HttpError(411, 'length')
    })
    httpEndpoint('/error', () => {
      throw new Error('a secret')
    })
  })
  return {
    port,
    cases: {
      'an unknown path': get('/nothing'),
      'no credentials': get(`${api}/me`),
      'a parameter of another type': get(`${api}/typed?count=x`),
      'an error class of the app': get(`${api}/taken`),
      'what a table refuses': get(`${api}/table`),
      'a handler that throws an HttpError': get(`${api}/gone`),
      'a handler that fails': get(`${api}/length`),
      'an error that nobody expected': get(`${api}/error`),
      'two hosts': raw(`GET ${api}/typed HTTP/1.1`, 'host: a', 'host: b'),
    },
  }
}

/** An app with limits that are soon reached. */
export async function limitedApp(t: Test): Promise<FailingApp> {
  const { port } = await startApp(
    t,
    () => {
      httpEndpoint('/slow', { timeout: 20 }, () => delay(300))
      httpEndpoint('/long', () => 'x'.repeat(1001))
      httpEndpoint('/fails', { timeout: 20 }, () => {
        throw new HttpError(409, 'conflict')
      })
      errorHandler(409, () => delay(300))
    },
    { headersTimeout: 300, requestTimeout: 300, responseLimit: 1000 },
  )
  return {
    port,
    cases: {
      'a handler that is too slow': get(`${api}/slow`),
      'an error handler that is too slow': get(`${api}/fails`),
      'an answer that is too long': get(`${api}/long`),
      'a request that does not end': {
        raw: (accept) => `POST ${api}/long HTTP/1.1\r\nhost: a\r\naccept: ${accept}\r\ncontent-length: 5\r\n\r\nabc`,
        patience: 3000,
      },
      'headers that do not end': {
        raw: (accept) => `POST ${api}/long HTTP/1.1\r\nhost: a\r\naccept: ${accept}\r\n`,
        patience: 3000,
      },
    },
  }
}

const routeFiles = {
  'pages/api/users/[id].ts': [
    "import { HttpError, integer, text } from 'rowhouse'",
    'export const config = { params: { page: integer(), note: text() } }',
    'export const get = () => 1',
    "export const post = () => { throw new HttpError(409, 'conflict', { of: 'a file' }) }",
    "export const put = () => { throw new Error('a secret') }",
  ].join('\n'),
  'pages/api/classes.ts': [
    "import { HTTPEndpoint, abort } from 'rowhouse'",
    "export default class extends HTTPEndpoint { async get() { return abort(404, 'no such class') } }",
  ].join('\n'),
  'pages/api/guarded/index.ts': 'export const get = () => 1',
  'pages/api/guarded/middleware.ts':
    "import { HttpError } from 'rowhouse'\nexport default () => { throw new HttpError(403, 'not here') }",
  'pages/api/silent/index.ts': 'export const get = () => 1',
  'pages/api/silent/middleware.ts': 'export default () => undefined',
}

/** An app of file routes. */
export async function fileApp(t: Test): Promise<FailingApp> {
  const directory = await temporaryFolder(t)
  for (const [name, contents] of Object.entries(routeFiles)) {
    await mkdir(dirname(join(directory, name)), { recursive: true })
    await writeFile(join(directory, name), contents)
  }
  const server = await createApp({ directory, options: { name: 'test' }, logTo: { write: () => undefined } })
  t.teardown(() => server.close())
  return {
    port: Number(new URL(await server.listen({ port: 0, host: '127.0.0.1' })).port),
    cases: {
      'parameters that are missing or wrong': get('/api/users/7?page=x'),
      'an error of a file': { line: 'POST /api/users/7?page=1&note=x' },
      'an error that nobody expected': { line: 'PUT /api/users/7?page=1&note=x' },
      'another method than a file has': { line: 'DELETE /api/users/7' },
      'abort() in a class': get('/api/classes'),
      'another method than a class has': { line: 'POST /api/classes' },
      'a middleware that refuses': get('/api/guarded'),
      'a middleware that returns nothing': get('/api/silent'),
      'an unknown path': get('/api/nothing'),
    },
  }
}
