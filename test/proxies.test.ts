import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { Agent, request as httpRequest, type IncomingMessage } from 'node:http'
import { connect } from 'node:net'
import { chmod, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { text as readText } from 'node:stream/consumers'
import { setTimeout as delay } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { eventStream, httpEndpoint, request, route } from 'rowhouse'
import { startApp, temporaryFolder } from './support/app.ts'
import { findProgram, needs } from './support/needs.ts'

const api = '/_/api'
const upload = Buffer.alloc(5_000_000, 'x')

interface Proxy {
  readonly name: string
  /** What it is started with; `folder` is where it may write, and `socket` where it listens. */
  prepare(folder: string, socket: string, port: number): Promise<readonly [command: string, ...words: string[]]>
}

/** @param serve the part of the configuration that is about the app */
function nginx(name: string, serve: (socket: string, port: number) => string): Proxy {
  return {
    name,
    async prepare(folder, socket, port) {
      const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((kind) => `${kind}_temp_path ${folder}/${kind};`).join(' ')
      const file = join(folder, 'nginx.conf')
      await writeFile(
        file,
        `daemon off; master_process off; pid ${folder}/nginx.pid; error_log ${folder}/error.log;
        events { worker_connections 256; }
        http { access_log off; ${temporary} ${serve(socket, port)} }`,
      )
      return [findProgram('nginx'), '-e', join(folder, 'error.log'), '-c', file]
    },
  }
}

/** As its own documentation has it: nginx talks HTTP/1.0 to the app, and a new connection for each request, unless it is told to keep them. */
function oneLocation(upstream: string, location: string): (socket: string, port: number) => string {
  return (socket, port) => `upstream app { server 127.0.0.1:${port}; ${upstream} }
    server { listen unix:${socket}; client_max_body_size 20m; location / { proxy_pass http://app; proxy_set_header Host $http_host; ${location} } }`
}

const [, documented = ''] = /```nginx\n([^]*?)```/.exec(await readFile(new URL('../docs/operations.md', import.meta.url), 'utf8')) ?? []

/** As our documentation has it, but for the certificate. */
function asDocumented(socket: string, port: number): string {
  return documented.replace('127.0.0.1:3030', `127.0.0.1:${port}`).replace('listen 443 ssl;', `listen unix:${socket};`).replaceAll(/^ *ssl_.*\n/gm, '')
}

function haproxy(name: string, option: string): Proxy {
  return {
    name,
    async prepare(folder, socket, port) {
      const file = join(folder, 'haproxy.cfg')
      const times = ['connect', 'client', 'server'].map((kind) => `  timeout ${kind} 60s\n`).join('')
      await writeFile(
        file,
        `defaults\n  mode http\n${times}${option}frontend web\n  bind unix@${socket}\n  default_backend app\nbackend app\n  server app 127.0.0.1:${port}\n`,
      )
      return [findProgram('haproxy'), '-db', '-f', file]
    },
  }
}

const proxies = [
  nginx('nginx as it is', oneLocation('', '')),
  nginx('nginx that keeps connections and passes bodies on as they come', oneLocation('keepalive 8;', 'proxy_http_version 1.1; proxy_set_header Connection ""; proxy_request_buffering off;')),
  nginx('nginx as docs/operations.md has it', asDocumented),
  haproxy('HAProxy as it is', ''),
  haproxy('HAProxy that closes connections', '  option http-server-close\n'),
]

/** Starts an app and a proxy in front of it; returns the socket where the proxy listens. */
async function start(t: Test, { prepare }: Proxy): Promise<string> {
  const { port } = await startApp(t, () => {
    httpEndpoint('/hello', () => 'hello')
    httpEndpoint('/url', () => request.url)
    httpEndpoint('/upload', { methods: ['POST'] }, () => request.body?.length)
    httpEndpoint('/small', { methods: ['POST'], bodyLimit: 1000 }, () => request.body?.length)
    httpEndpoint('/mine', { methods: ['POST'], authenticateUsers: true }, () => request.body?.length)
    route('/events', () => eventStream(ticks()))
  })
  const folder = await temporaryFolder(t)
  await chmod(folder, 0o755)
  const socket = join(folder, 'listen.sock')
  const [command, ...words] = await prepare(folder, socket, port)
  const child = spawn(command, words, { stdio: ['ignore', 'ignore', 'pipe'] })
  let told = ''
  child.stderr.setEncoding('utf8').on('data', (piece: string) => (told += piece))
  const ended = once(child, 'close')
  t.teardown(async () => {
    child.kill('SIGKILL')
    await ended
  })
  while (!(await isListening(socket))) {
    if (child.exitCode !== null) throw new Error(`the proxy has ended: ${told}`)
    await delay(50)
  }
  return socket
}

async function isListening(path: string): Promise<boolean> {
  const socket = connect({ path })
  try {
    await once(socket, 'connect')
    return true
  } catch {
    return false
  } finally {
    socket.destroy()
  }
}

async function* ticks(): AsyncGenerator<string> {
  for (let count = 1; ; count++) {
    yield `tick ${count}`
    await delay(20)
  }
}

interface Sent {
  readonly socketPath: string
  readonly path: string
  readonly method?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly agent?: Agent
}

async function send({ agent, ...options }: Sent, body?: Buffer): Promise<IncomingMessage> {
  const sent = httpRequest({ ...options, agent: agent ?? false, headers: { host: 'x', ...options.headers } })
  const answer = once(sent, 'response') as Promise<[IncomingMessage]>
  // The proxy may stop reading a body that nobody wants. What counts is whether it passes the refusal on.
  sent.on('error', () => undefined)
  sent.end(body)
  return (await answer)[0]
}

async function statusOf(sent: Sent, body?: Buffer): Promise<number | undefined> {
  const answer = await send(sent, body)
  answer.on('error', () => undefined).resume()
  return answer.statusCode
}

const refusals: readonly [status: number, method: string, path: string, headers?: Record<string, string>][] = [
  [413, 'POST', `${api}/small`],
  [401, 'POST', `${api}/mine`],
  [404, 'POST', '/none'],
  [405, 'PUT', `${api}/small`],
  [415, 'POST', `${api}/upload`, { 'content-encoding': 'cow' }],
  [400, 'POST', `${api}/upload`, { 'content-type': 'multipart/form-data' }],
]

for (const proxy of proxies) {
  const skip = needs('nginx', 'haproxy')

  t.test(`through ${proxy.name} 48 uploads that are refused early see the refusal, and never 502`, { skip }, async (t) => {
    const socketPath = await start(t, proxy)
    for (let round = 0; round < 8; round++) {
      const statuses = await Promise.all(refusals.map(([, method, path, headers = {}]) => statusOf({ socketPath, method, path, headers }, upload)))
      t.same(statuses, refusals.map(([status]) => status))
    }
  })

  t.test(`through ${proxy.name} ordinary requests, uploads, kept connections and event streams work`, { skip }, async (t) => {
    const socketPath = await start(t, proxy)
    const agent = new Agent({ keepAlive: true, maxSockets: 1 })
    t.teardown(() => agent.destroy())
    const ports = new Set<unknown>()
    for (let count = 0; count < 20; count++) {
      const answer = await send({ socketPath, path: `${api}/hello`, agent })
      ports.add(answer.socket)
      t.equal(await readText(answer), 'hello')
    }
    t.equal(ports.size, 1, 'all on one connection to the proxy')
    for (let count = 0; count < 5; count++) {
      t.equal(await readText(await send({ socketPath, method: 'POST', path: `${api}/upload`, agent }, upload)), String(upload.length))
    }
    const url = await send({ socketPath, path: `${api}/url`, headers: { host: 'example.com:8443' } })
    t.equal(await readText(url), `http://example.com:8443${api}/url`, 'the host arrives with its port')
    const events = await send({ socketPath, path: '/events' })
    let came = ''
    for await (const piece of events.setEncoding('utf8')) {
      came += String(piece)
      if (came.includes('tick 3')) break
    }
    t.match(came, /data: tick 1\n\ndata: tick 2\n\ndata: tick 3/, 'each event as it happens, of a stream that does not end')
  })
}
