import { createReadStream } from 'node:fs'
import { join } from 'node:path'
import { PassThrough, Readable } from 'node:stream'
import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import compress from '@fastify/compress'
import cookie from '@fastify/cookie'
import formbody from '@fastify/formbody'
import files from '@fastify/static'
import websocket from '@fastify/websocket'
import { fastify } from 'fastify'
import fastifyPlugin from 'fastify-plugin'
import t, { type Test } from 'tap'
import { createApp, type FastifyInstance, type FastifyPlugin } from 'rowhouse'
import { temporaryFolder } from './support/app.ts'
import { ask, type Answer, type Asked } from './support/ask.ts'

/** One thing that a plugin does, and the requests by which it shows. */
interface Behaviour {
  readonly plugin: FastifyPlugin
  readonly requests: readonly Asked[]
  /** Whether the bare instance leaves out the plugins for forms and cookies, because this one brings its own. */
  readonly bringsItsOwn?: boolean
}

const json = { 'content-type': 'application/json' }
const form = { 'content-type': 'application/x-www-form-urlencoded' }
const here = fileURLToPath(new URL('.', import.meta.url))
const post = (path: string, body: string | Buffer, headers: Record<string, string> = json): Asked => ({
  method: 'POST',
  path,
  body,
  headers,
})
const echo = (app: FastifyInstance): void =>
  void app.post('/echo', (request) => ({ body: request.body ?? null, type: typeof request.body }))

declare module 'fastify' {
  interface FastifyInstance {
    double(value: number): number
  }
  interface FastifyRequest {
    visits: number
    shout(): string
  }
  interface FastifyReply {
    created(value: unknown): FastifyReply
  }
}

const behaviours: Readonly<Record<string, Behaviour>> = {
  'JSON comes in and goes out, and what is no JSON is refused': {
    plugin: async (app) => echo(app),
    requests: [
      post('/echo', '{"a":[1,"ü",null]}'),
      post('/echo', '"text"', { 'content-type': 'application/json; charset=utf-8' }),
      post('/echo', '{"a":'),
      post('/echo', ''),
      post('/echo', '{"__proto__":{"admin":true}}'),
      post('/echo', '{"constructor":{"prototype":1}}'),
      { ...post('/echo', '{"a":1}'), chunked: true },
      { method: 'POST', path: '/echo' },
    ],
  },
  'forms, texts and types that nobody knows': {
    plugin: async (app) => echo(app),
    requests: [
      post('/echo', 'a=1&a=2&b=%C3%BC+x', form),
      post('/echo', 'a', form),
      post('/echo', 'plain', { 'content-type': 'text/plain' }),
      post('/echo', '<a/>', { 'content-type': 'application/xml' }),
      post('/echo', 'x', { 'content-type': 'no type' }),
      post('/echo', 'x', {}),
    ],
  },
  'parsers of its own, for one type, for a pattern, for raw bytes and for everything': {
    plugin: async (app) => {
      app.addContentTypeParser('application/x-lines', { parseAs: 'string' }, (_request, body, done) =>
        done(null, String(body).split('\n')),
      )
      app.addContentTypeParser(/^image\//, { parseAs: 'buffer' }, async (_request: unknown, body: string | Buffer) => ({
        bytes: body.length,
      }))
      app.addContentTypeParser('application/json', { parseAs: 'buffer' }, (_request, body, done) =>
        done(null, { raw: body.toString('latin1') }),
      )
      app.addContentTypeParser('*', (_request, payload, done) => {
        let length = 0
        payload.on('data', (piece: Buffer) => (length += piece.length))
        payload.on('end', () => done(null, { length }))
      })
      echo(app)
    },
    requests: [
      post('/echo', 'a\nb', { 'content-type': 'application/x-lines' }),
      post('/echo', Buffer.from([0, 255, 10]), { 'content-type': 'image/png' }),
      post('/echo', '{"a": 1}'),
      post('/echo', 'anything', { 'content-type': 'application/unknown' }),
    ],
  },
  'a parser for forms of its own': {
    bringsItsOwn: true,
    plugin: async (app) => {
      app.register(formbody, { parser: (text) => ({ text }), bodyLimit: 10 })
      app.register(async (inner) => echo(inner), { prefix: '/inner' })
      app.addContentTypeParser('application/x-other', { parseAs: 'string' }, (_request, body, done) => done(null, body))
      echo(app)
    },
    requests: [
      post('/echo', 'a=1', form),
      post('/inner/echo', 'a=2', form),
      post('/echo', 'a=123456789', form),
      post('/echo', 'x', { 'content-type': 'application/x-other' }),
    ],
  },
  'the parser for forms twice in one scope is a mistake of its author': {
    bringsItsOwn: true,
    plugin: async (app) => {
      const take = (_request: unknown, body: string | Buffer, done: (error: null, body: unknown) => void) =>
        done(null, body)
      app.addContentTypeParser('application/x-www-form-urlencoded', { parseAs: 'string' }, take)
      try {
        app.addContentTypeParser('application/x-www-form-urlencoded', { parseAs: 'string' }, take)
      } catch (error) {
        app.get('/mistake', () => (error instanceof Error ? error.message : ''))
      }
    },
    requests: [{ path: '/mistake' }],
  },
  'HEAD is answered for each GET, and in its own way where there is one': {
    plugin: async (app) => {
      app.get('/value', () => ({ long: 'x'.repeat(100) }))
      app.get('/stream', (_request, reply) => reply.type('text/plain').send(Readable.from(['a', 'b'])))
      app.head('/own', (_request, reply) => reply.header('x-own', '1').send())
      app.get('/own', () => 'GET')
      app.get('/fails', () => {
        throw Object.assign(new Error('no'), { statusCode: 418 })
      })
    },
    requests: ['/value', '/stream', '/own', '/fails'].flatMap((path) => [{ path }, { path, method: 'HEAD' }]),
  },
  'a 404 of its own, also for other methods of its paths, and those of scopes': {
    plugin: async (app) => {
      app.get('/known', () => 'known')
      app.get('/gives-up', (_request, reply) => reply.callNotFound())
      app.setNotFoundHandler((request, reply) => reply.code(404).send({ nothing: request.url, method: request.method }))
      app.register(
        async (scope) => {
          scope.get('/known', () => 'scoped')
          scope.get('/gives-up', (_request, reply) => reply.callNotFound())
          scope.setNotFoundHandler(
            { preHandler: (_request, reply, done) => (void reply.header('x-before', '1'), done()) },
            async () => 'nothing in the scope',
          )
        },
        { prefix: '/scope' },
      )
    },
    requests: [
      ...[
        '/known',
        '/unknown',
        '/unknown?a=1',
        '/gives-up',
        '/scope',
        '/scope/known',
        '/scope/unknown',
        '/scope/gives-up',
        '/scoped',
      ].map((path) => ({ path })),
      { method: 'DELETE', path: '/known' },
      post('/unknown', '{"a":1}'),
      post('/scope/known', '{}'),
      { method: 'HEAD', path: '/unknown' },
    ],
  },
  'errors, as Fastify tells those that may be told': {
    plugin: async (app) => {
      const failing =
        (status: number, more: object = {}) =>
        () => {
          throw Object.assign(new Error('told'), { statusCode: status, ...more })
        }
      app.get('/418', failing(418))
      app.get('/coded', failing(409, { code: 'E_TAKEN', headers: { 'x-why': 'taken' } }))
      app.get('/rejects', async () => failing(400)())
      app.get('/sends', (_request, reply) => reply.code(422).send(new Error('sent')))
      app.get('/value', () => {
        throw { statusCode: 402, pay: true }
      })
      app.post(
        '/checked',
        {
          schema: {
            body: { type: 'object', required: ['a'], properties: { a: { type: 'integer' } } },
            querystring: { type: 'object', properties: { n: { type: 'number' } } },
          },
        },
        ({ body, query }) => ({ body, query }),
      )
      app.get(
        '/shaped',
        { schema: { response: { 200: { type: 'object', properties: { a: { type: 'string' } } } } } },
        () => ({ a: 1, b: 2 }),
      )
    },
    requests: [
      ...['/418', '/coded', '/rejects', '/sends', '/value', '/shaped'].map((path) => ({ path })),
      post('/checked', '{"a":"7"}'),
      post('/checked?n=2', '{"a":7}'),
      post('/checked?n=x', '{"a":7}'),
      post('/checked', '{}'),
    ],
  },
  'error handlers of its own, one in the other': {
    plugin: async (app) => {
      app.addHook('onError', (request, reply, error, done) => {
        reply.header('x-error', `${error.message} ${request.url}`)
        done()
      })
      app.setErrorHandler((error, _request, reply) =>
        reply.code(503).send({ outer: error instanceof Error ? error.message : error }),
      )
      app.get('/outer', () => {
        throw new Error('secret')
      })
      app.register(async (scope) => {
        scope.setErrorHandler(async (error) => {
          if (error instanceof Error && error.message === 'again') throw new Error('from the inner')
          return { inner: error instanceof Error ? error.message : error }
        })
        scope.get('/inner', async () => {
          throw new Error('secret')
        })
        scope.get('/again', async () => {
          throw new Error('again')
        })
        scope.get(
          '/of-route',
          { errorHandler: (error, _request, reply) => void reply.code(400).send(`of the route: ${error.message}`) },
          () => {
            throw new Error('secret')
          },
        )
        scope.post('/parsed', () => 'parsed')
      })
    },
    requests: [
      ...['/outer', '/inner', '/again', '/of-route'].map((path) => ({ path })),
      post('/parsed', '{'),
      post('/parsed', 'x', { 'content-type': 'application/xml' }),
    ],
  },
  'streams of every kind': {
    plugin: async (app) => {
      app.get('/pieces', (_request, reply) => reply.send(Readable.from(['a', Buffer.from('b'), 'ü'])))
      app.get('/file', (_request, reply) =>
        reply.type('text/plain').send(createReadStream(join(here, 'support/ask.ts'))),
      )
      app.get('/no-file', (_request, reply) => reply.send(createReadStream(join(here, 'no such file'))))
      app.get('/web', (_request, reply) => reply.send(new Blob(['from the ', 'web']).stream()))
      app.get(
        '/response',
        () =>
          new Response('as a response', {
            status: 201,
            headers: [
              ['x-a', '1'],
              ['set-cookie', 'a=1'],
              ['set-cookie', 'b=2'],
            ],
          }),
      )
      app.get('/empty-response', () => new Response(null, { status: 204 }))
      app.get('/empty', (_request, reply) => reply.send(Readable.from([])))
      app.get('/long', (_request, reply) =>
        reply
          .header('content-length', 3_000_000)
          .send(Readable.from(Array.from({ length: 30 }, () => Buffer.alloc(100_000, 'x')))),
      )
      app.get('/breaks', (_request, reply) => {
        const stream = new PassThrough()
        stream.write('begun')
        setTimeout(() => stream.destroy(new Error('broken')), 50)
        return reply.send(stream)
      })
      app.setErrorHandler((error, _request, reply) =>
        reply.code(500).send({ failed: error instanceof Error ? error.name : null }),
      )
    },
    requests: [
      '/pieces',
      '/file',
      '/no-file',
      '/web',
      '/response',
      '/empty-response',
      '/empty',
      '/long',
      '/breaks',
    ].map((path) => ({ path })),
  },
  'the limit of bodies, which a route may change': {
    plugin: async (app) => {
      echo(app)
      app.post('/small', { bodyLimit: 10 }, ({ body }) => body)
      app.post('/large', { bodyLimit: 3_000_000 }, ({ body }) => String(body).length)
    },
    requests: [
      post('/small', '"12345678"'),
      post('/small', '"123456789"'),
      { ...post('/small', '"123456789"'), chunked: true },
      post('/echo', JSON.stringify('x'.repeat(1_048_574))),
      post('/echo', JSON.stringify('x'.repeat(1_048_575))),
      post('/large', JSON.stringify('x'.repeat(2_000_000))),
    ],
  },
  'paths: wildcards, parameters, expressions, and how they are decoded': {
    plugin: async (app) => {
      const tell = (path: string): void =>
        void app.get(path, (request) => ({
          path,
          params: request.params,
          url: request.url,
          original: request.originalUrl,
          query: request.query,
        }))
      for (const path of [
        '/files/*',
        '/users/:id',
        '/users/me',
        '/users/:id/posts/:post',
        '/at-:hour(^\\d{2})h:minute(^\\d{2})m',
        '/x/:name.json',
        '/x/:from-:to',
        '/optional/:last?',
        '/name::verb',
        '/pre*',
        '/',
        '/ünï',
      ])
        tell(path)
      app.setNotFoundHandler((_request, reply) => reply.code(404).send('nothing'))
    },
    requests: [
      '/files/',
      '/files/a',
      '/files/a/b%2Fc//d?x=1',
      '/files',
      '/users/me',
      '/users/you',
      '/users/',
      '/users/a%2Fb',
      '/users/%C3%BC?a=1&a=2&b',
      '/users/1/posts/2',
      '/users/1/posts/',
      '/at-12h30m',
      '/at-1h30m',
      '/x/data.json',
      '/x/a-b',
      '/x/a',
      '/optional',
      '/optional/',
      '/optional/x',
      '/name:verb',
      '/prefix',
      '/pre',
      '/pre/fix',
      '/',
      '//',
      '/Users/me',
      '/users/me/',
      '/%C3%BCn%C3%AF',
      '/users/you?',
      '/files/..%2f..',
    ].map((path) => ({ path })),
  },
  'routes of one path that differ by host or version': {
    plugin: async (app) => {
      app.get('/who', { constraints: { host: 'one.example' } }, () => 'one')
      app.get('/who', { constraints: { host: 'two.example' } }, () => 'two')
      app.get('/what', { constraints: { version: '1.2.0' } }, () => '1.2')
      app.get('/what', { constraints: { version: '2.0.0' } }, () => '2.0')
      app.setNotFoundHandler((_request, reply) => reply.code(404).send('nothing'))
    },
    requests: [
      ...['one.example', 'two.example', 'three.example'].map((host) => ({ path: '/who', headers: { host } })),
      ...['1.x', '2.0.0', '3.x'].map((version) => ({ path: '/what', headers: { 'accept-version': version } })),
    ],
  },
  'methods of many kinds, and several at once': {
    plugin: async (app) => {
      app.all('/all', (request) => request.method)
      app.route({
        method: ['PUT', 'PATCH'],
        url: '/some',
        handler: (request) => ({ method: request.method, body: request.body ?? null }),
      })
      app.options('/asked', (_request, reply) => reply.header('allow', 'of my own').send())
      app.delete('/gone', (request) => request.body ?? 'no body')
      app.setNotFoundHandler((_request, reply) => reply.code(404).send('nothing'))
    },
    requests: [
      ...['GET', 'POST', 'DELETE', 'OPTIONS', 'TRACE', 'PATCH'].map((method) => ({ method, path: '/all' })),
      { ...post('/some', '{"a":1}'), method: 'PUT' },
      { ...post('/some', '{"a":1}'), method: 'PATCH' },
      { method: 'GET', path: '/some' },
      { method: 'OPTIONS', path: '/asked' },
      { ...post('/gone', '{"a":1}'), method: 'DELETE' },
      { method: 'DELETE', path: '/gone' },
      { ...post('/gone', ''), method: 'DELETE' },
    ],
  },
  'what onSend makes of an answer': {
    plugin: async (app) => {
      app.addHook('onSend', async (request, reply, payload) => {
        void reply.header('x-route', request.routeOptions.url ?? '')
        return typeof payload === 'string' ? payload.toUpperCase() : payload
      })
      app.get('/text', () => 'text')
      app.get('/value', () => ({ a: 1 }))
      app.get('/none', (_request, reply) => reply.code(204).send())
      app.get(
        '/own',
        {
          onSend: (_request, reply, payload, done) => (
            void reply.header('x-own', '1'),
            done(null, `${String(payload)}!`)
          ),
        },
        () => 'text',
      )
      app.get(
        '/stream',
        { onSend: (_request, _reply, _payload, done) => done(null, Readable.from(['in', 'stead'])) },
        () => 'text',
      )
      app.get(
        '/fails',
        {
          onSend: (_request, _reply, _payload, done) =>
            done(Object.assign(new Error('in onSend'), { statusCode: 409 })),
        },
        () => 'text',
      )
      app.get('/nothing', { onSend: (_request, _reply, _payload, done) => done(null, null) }, () => 'text')
    },
    requests: ['/text', '/value', '/none', '/own', '/stream', '/fails', '/nothing'].map((path) => ({ path })),
  },
  'cookies are read and set': {
    plugin: async (app) => {
      app.get('/read', (request) => request.cookies)
      app.get('/set', (_request, reply) =>
        reply
          .setCookie('a', '1 2', { path: '/', httpOnly: true })
          .setCookie('b', 'ü')
          .cookie('c', '3', { maxAge: 60 })
          .send('set'),
      )
      app.get('/clear', (_request, reply) => reply.clearCookie('a').header('set-cookie', 'own=1').send('cleared'))
    },
    requests: [
      { path: '/read' },
      { path: '/read', headers: { cookie: 'a=1; b=%C3%BC; c="x y"' } },
      { path: '/set' },
      { path: '/clear' },
    ],
  },
  'cookies with options of its own': {
    bringsItsOwn: true,
    plugin: async (app) => {
      app.register(cookie, {
        secret: 'a secret that nobody knows',
        parseOptions: Object.assign({ path: '/cookies' }, { decode: (value: string) => value.toUpperCase() }),
      })
      app.register(async (inner) => {
        inner.get('/read', (request) => ({
          cookies: request.cookies,
          unsigned: request.unsignCookie(request.cookies['signed'] ?? ''),
        }))
        inner.get('/set', (_request, reply) => reply.setCookie('signed', 'value', { signed: true }).send('set'))
      })
    },
    requests: [
      { path: '/read', headers: { cookie: 'a=x' } },
      { path: '/set' },
      { path: '/read', headers: { cookie: 'signed=value.wrong' } },
    ],
  },
  'decorators of instances, requests and replies': {
    plugin: async (app) => {
      app.decorate('double', (value: number) => value * 2)
      app.decorateRequest('visits', 0)
      app.decorateRequest('shout', function (this: { url: string }) {
        return this.url.toUpperCase()
      })
      app.decorateReply('created', function (value: unknown) {
        return this.code(201).send({ created: value })
      })
      app.addHook('onRequest', (request, _reply, done) => {
        request.visits += 1
        done()
      })
      app.register(async (inner) => {
        inner.get('/in', (request, reply) =>
          reply.created([
            request.visits,
            request.shout(),
            inner.double(4),
            inner.hasRequestDecorator('visits'),
            inner.hasDecorator('nothing'),
          ]),
        )
      })
    },
    requests: [{ path: '/in' }, { path: '/in' }],
  },
  'another `user`, as plugins for tokens set it': {
    plugin: async (app) => {
      app.register(async (scope) => {
        scope.decorateRequest('user', null)
        scope.addHook('onRequest', async (request) => {
          if (request.headers.authorization !== undefined)
            Object.assign(request, { user: { name: request.headers.authorization } })
        })
        scope.get('/token', (request) => ({ user: request.user }))
      })
    },
    requests: [{ path: '/token' }, { path: '/token', headers: { authorization: 'Token me' } }],
  },
  'a plugin with a prefix, in one with a prefix': {
    plugin: async (app) => {
      app.register(
        async (outer) => {
          outer.get('/', () => 'outer')
          outer.register(async (inner) => void inner.get('/x', () => inner.prefix), { prefix: '/inner' })
          outer.register(async (inner) => void inner.get('/', { prefixTrailingSlash: 'slash' }, () => 'slash'), {
            prefix: '/slash',
          })
          outer.register(async (inner) => void inner.get('/', { prefixTrailingSlash: 'no-slash' }, () => 'no slash'), {
            prefix: '/none',
          })
        },
        { prefix: '/outer' },
      )
      app.setNotFoundHandler((_request, reply) => reply.code(404).send('nothing'))
    },
    requests: [
      '/outer',
      '/outer/',
      '/outer/inner/x',
      '/outer/inner',
      '/outer/slash/',
      '/outer/slash',
      '/outer/none',
      '/outer/none/',
    ].flatMap((path) => [{ path }, { path, method: 'HEAD' }]),
  },
  'hooks, each in its scope and in their order': {
    plugin: async (app) => {
      const names = ['onRequest', 'preParsing', 'preValidation', 'preHandler', 'preSerialization', 'onSend'] as const
      const note = (scope: FastifyInstance, place: string): void => {
        for (const name of names) {
          scope.addHook(name as 'onRequest', async (_request, reply) => {
            void reply.header('x-hooks', [reply.getHeader('x-hooks') ?? [], `${place} ${name}`].flat().join(', '))
          })
        }
      }
      app.register(async (inside) => {
        note(inside, 'inside')
        inside.post('/inside', () => ({ a: 1 }))
        inside.register(async (further) => {
          note(further, 'further')
          further.post(
            '/further',
            { preHandler: async (_request, reply) => void reply.header('x-route', '1') },
            () => ({ a: 1 }),
          )
        })
      })
      app.post('/outside', () => ({ a: 1 }))
      app.register(
        fastifyPlugin(
          async (shared) =>
            void shared.addHook('onSend', async (_request, reply) => void reply.header('x-shared', '1')),
        ),
      )
    },
    requests: ['/inside', '/further', '/outside'].map((path) => post(path, '{"a":1}')),
  },
  'hooks that answer, refuse, and change what is parsed': {
    plugin: async (app) => {
      app.register(async (scope) => {
        scope.addHook('onRequest', async (request, reply) => {
          if (request.headers['x-answer'] !== undefined) return reply.code(202).send('by the hook')
          if (request.headers['x-refuse'] !== undefined) throw Object.assign(new Error('refused'), { statusCode: 403 })
          return undefined
        })
        scope.addHook('preParsing', async (request) =>
          request.headers['x-other'] === undefined ? request.raw : Readable.from(['{"other":1}']),
        )
        scope.addHook('preSerialization', async (_request, _reply, payload) => ({ wrapped: payload }))
        echo(scope)
      })
    },
    requests: [
      post('/echo', '{}'),
      post('/echo', '{}', { ...json, 'x-answer': '1' }),
      post('/echo', '{}', { ...json, 'x-refuse': '1' }),
      post('/echo', '{"a":1}', { ...json, 'x-other': '1' }),
    ],
  },
  'replies: redirects, codes, types, serializers, trailers, and the bare response': {
    plugin: async (app) => {
      app.get('/redirect', (_request, reply) => reply.redirect('/elsewhere'))
      app.get('/moved', (_request, reply) => reply.redirect('/elsewhere', 301))
      app.get('/code', (_request, reply) => reply.code(201).header('x-a', ['1', '2']).type('text/csv').send('a,b'))
      app.get('/bytes', () => Buffer.from([1, 2, 3]))
      app.get('/nothing', async (_request, reply) => void reply.send())
      app.get('/null', () => null)
      app.get('/callback', (_request, reply) => void setTimeout(() => reply.send({ late: true }), 10))
      app.get('/serializer', (_request, reply) =>
        reply
          .type('text/plain')
          .serializer((value: unknown) => `<${JSON.stringify(value)}>`)
          .send({ a: 1 }),
      )
      app.get('/hijacked', (_request, reply) => {
        reply.hijack()
        reply.raw.writeHead(203, { 'content-length': 3, 'x-raw': '1' }).end('raw')
      })
      app.get('/raw', (_request, reply) => void reply.raw.writeHead(200, { 'content-length': 2 }).end('ok'))
      app.get('/trailer', (_request, reply) =>
        reply.trailer('x-sum', (_reply, _payload, done) => done(null, '42')).send('with a trailer'),
      )
    },
    requests: [
      '/redirect',
      '/moved',
      '/code',
      '/bytes',
      '/nothing',
      '/null',
      '/callback',
      '/serializer',
      '/hijacked',
      '/raw',
      '/trailer',
    ].map((path) => ({ path })),
  },
  'a plugin by callback, and one that is made to have no scope of its own': {
    plugin: fastifyPlugin((app, _options, done) => {
      app.addHook('onRequest', (_request, reply, next) => (void reply.header('x-everywhere', '1'), next()))
      app.get('/by-callback', () => 'by callback')
      setTimeout(done, 10)
    }),
    requests: [{ path: '/by-callback' }],
  },
  'files, by a plugin of others': {
    plugin: async (app) => {
      await app.register(files, { root: join(here, 'support'), prefix: '/files/' })
      app.get('/download', (_request, reply) => reply.download('ask.ts', 'other.txt'))
      app.setNotFoundHandler((_request, reply) => reply.code(404).send('no such file'))
    },
    requests: [
      { path: '/files/ask.ts' },
      { path: '/files/ask.ts', headers: { range: 'bytes=0-9' } },
      { path: '/files/ask.ts', method: 'HEAD' },
      { path: '/files/none.ts' },
      { path: '/files/' },
      { path: '/files/..%2fpackage.json' },
      { path: '/download' },
    ],
  },
  'compressed answers, by a plugin of others': {
    plugin: async (app) => {
      await app.register(compress, { threshold: 100 })
      app.get('/long', () => ({ long: 'x'.repeat(5000) }))
      app.get('/short', () => ({ short: 'x' }))
      app.get('/stream', (_request, reply) =>
        reply.type('text/plain').send(Readable.from(['y'.repeat(3000), 'z'.repeat(3000)])),
      )
      echo(app)
    },
    requests: ['/long', '/short', '/stream'].flatMap((path) => [
      { path, headers: { 'accept-encoding': 'gzip' } },
      { path },
    ]),
  },
}

interface Servers {
  readonly bare: number
  readonly app: number
  readonly private: number
}

const key = 'k'.repeat(40)

async function startBare(t: Test, { plugin, bringsItsOwn = false }: Behaviour): Promise<number> {
  const bare = fastify()
  if (!bringsItsOwn) {
    await bare.register(formbody)
    await bare.register(cookie)
  }
  await bare.register(plugin)
  // It waits for ever for a connection that was to leave HTTP and was answered 404.
  t.teardown(() => void bare.close())
  return Number(new URL(await bare.listen({ port: 0, host: '127.0.0.1' })).port)
}

async function startApp(t: Test, plugin: FastifyPlugin, options: object = {}): Promise<number> {
  const server = await createApp({
    directory: await temporaryFolder(t),
    define: () => undefined,
    plugin,
    options: { name: 'test', ...options },
    logTo: { write: () => undefined },
  })
  t.teardown(() => server.close())
  return Number(new URL(await server.listen({ port: 0, host: '127.0.0.1' })).port)
}

async function startAll(t: Test, behaviour: Behaviour): Promise<Servers> {
  return {
    bare: await startBare(t, behaviour),
    app: await startApp(t, behaviour.plugin),
    private: await startApp(t, behaviour.plugin, { private: { accessKey: key } }),
  }
}

/** What differs by the port alone. */
function withoutPort(answer: Answer, port: number): Answer {
  return JSON.parse(JSON.stringify(answer).replaceAll(`:${port}`, ':port')) as Answer
}

/** What pages and files have here where a plugin says nothing of it. */
const added: ReadonlySet<string> = new Set(['x-content-type-options', 'content-security-policy', 'referrer-policy'])

/** An answer without the headers that are added for the sake of security. */
function withoutAdded(answer: Answer, expected: Answer): Answer {
  const headers = Object.entries(answer.headers).filter(([name]) => name in expected.headers || !added.has(name))
  return { ...answer, headers: Object.fromEntries(headers) }
}

for (const [name, behaviour] of Object.entries(behaviours)) {
  t.test(`as in a bare Fastify: ${name}`, async (t) => {
    const servers = await startAll(t, behaviour)
    for (const asked of behaviour.requests) {
      const what = `${asked.method ?? 'GET'} ${asked.path}`
      const expected = withoutPort(await ask(servers.bare, asked), servers.bare)
      t.same(withoutAdded(withoutPort(await ask(servers.app, asked), servers.app), expected), expected, what)
      t.same(
        withoutAdded(withoutPort(await ask(servers.private, { ...asked, path: `/${key}${asked.path}` }), servers.private), expected),
        expected,
        `${what}, with the key`,
      )
      for (const wrong of [asked.path, `/${key}x${asked.path}`]) {
        const { status, body } = await ask(servers.private, { ...asked, path: wrong })
        t.same(
          { status, body },
          { status: 404, body: asked.method === 'HEAD' ? '' : 'Not Found' },
          `${what}, without the key`,
        )
      }
    }
  })
}

/** What a web socket says in answer to a text, or that it was not opened. */
async function talk(port: number, path: string, text: string): Promise<string> {
  const socket = new WebSocket(`ws://127.0.0.1:${port}${path}`)
  return new Promise((resolve) => {
    socket.addEventListener('open', () => socket.send(text))
    socket.addEventListener('message', ({ data }) => {
      socket.close()
      resolve(String(data))
    })
    socket.addEventListener('error', () => resolve('not opened'))
  })
}

t.test('as in a bare Fastify: web sockets', async (t) => {
  const plugin: FastifyPlugin = async (app) => {
    await app.register(websocket)
    app.get('/socket/:room', { websocket: true }, (socket, request) => {
      socket.on('message', (data: Buffer) =>
        socket.send(`${JSON.stringify(request.params)} ${JSON.stringify(request.query)} ${data.toString()}`),
      )
    })
    app.get(
      '/refused',
      { websocket: true, onRequest: async (_request, reply) => reply.code(403).send('no') },
      () => undefined,
    )
    app.get('/plain', () => 'plain')
    app.route({
      method: 'GET',
      url: '/both',
      handler: () => 'both',
      wsHandler: (socket) => void socket.on('message', () => socket.send('by socket')),
    })
  }
  const servers = await startAll(t, { plugin, requests: [] })
  for (const path of ['/socket/a?b=1', '/both', '/refused', '/unknown']) {
    const expected = await talk(servers.bare, path, 'hello')
    t.equal(await talk(servers.app, path, 'hello'), expected, path)
    t.equal(await talk(servers.private, `/${key}${path}`, 'hello'), expected, `${path}, with the key`)
    t.equal(await talk(servers.private, path, 'hello'), 'not opened', `${path}, without the key`)
  }
  t.equal(await talk(servers.bare, '/both', 'hello'), 'by socket')
  const same = async (path: string): Promise<void> => {
    const expected = await ask(servers.bare, { path })
    t.same(withoutAdded(await ask(servers.app, { path }), expected), expected, path)
  }
  await same('/both')
  await same('/socket/a')
  await pause(10)
})
