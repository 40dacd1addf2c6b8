import { execFile, spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { request as httpRequest } from 'node:http'
import { constants, tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { parseArgs, promisify } from 'node:util'

const { values } = parseArgs({
  options: {
    node: { type: 'string', multiple: true, default: [process.execPath] },
    seconds: { type: 'string', default: '60' },
    starts: { type: 'string', default: '20' },
  },
})
const seconds = Number(values.seconds)
const starts = Number(values.starts)

const run = promisify(execFile)
const path = (relative: string): string => fileURLToPath(new URL(relative, import.meta.url))
const program = path('../bin/rowhouse.js')
const app = path('../../examples/todo')
const user = { email: 'me@example.com', password: 'a quiet afternoon' } as const

/** A form with a file of 2 MiB, which is more than is kept in memory. */
const form = new FormData()
form.set('title', 'with a file')
form.set('file', new Blob([Buffer.alloc(2 * 1024 * 1024, 'x')]), 'large.bin')
const encoded = new Response(form)
const large = { type: encoded.headers.get('content-type') ?? '', body: Buffer.from(await encoded.arrayBuffer()) }

/** `rowhouse start`, in a process of its own. */
interface Server {
  /** Resolves when it answers; rejects, with what it wrote, when it ends before. */
  readonly url: Promise<string>
  readonly exitCode: Promise<number>
  terminate(): void
}

/** What there was to see, each thing with how often. */
class Tally {
  readonly #counts = new Map<string, number>()
  /** What should not have been. */
  readonly wrong = new Set<string>()

  add(what: string, expected: boolean): void {
    this.#counts.set(what, (this.#counts.get(what) ?? 0) + 1)
    if (!expected) this.wrong.add(what)
  }

  toString(): string {
    const sorted = [...this.#counts].toSorted(([a], [b]) => a.localeCompare(b))
    return sorted.map(([what, count]) => `${what} × ${count}`).join(', ')
  }
}

/** In which moments a server is told to end, and the exit codes that docs/command-line.md has for each. */
const ends = [
  { moment: 'idle', documented: [0] },
  { moment: 'busy', documented: [0] },
  { moment: 'starting', documented: [0, 143] },
  { moment: 'ending', documented: [143] },
] as const

for (const node of values.node) {
  const folder = await mkdtemp(join(tmpdir(), 'rowhouse-soak-'))
  try {
    await soak(node, folder)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

async function soak(node: string, folder: string): Promise<void> {
  console.log(`\nNode.js ${(await run(node, ['--version'])).stdout.trim()}`)
  // Makes the tables.
  const server = start(node, folder)
  await server.url
  server.terminate()
  await server.exitCode
  await addUser(node, folder, user.email)
  for (const [name, work] of [['starts', startAndStop], ['load', load], ['statements', dropStatements]] as const) {
    const tally = await work(node, folder)
    console.log(`  ${name}: ${tally}`)
    if (tally.wrong.size === 0) continue
    console.log(`  NOT AS IT SHOULD BE: ${[...tally.wrong].join(', ')}`)
    process.exitCode = 1
  }
}

/** Starts the server and ends it, in each of these moments in turn. */
async function startAndStop(node: string, folder: string): Promise<Tally> {
  const tally = new Tally()
  for (let round = 0; round < starts; round++) {
    const { moment, documented } = ends[round % ends.length] ?? ends[0]
    const server = start(node, folder)
    let requests: readonly Promise<Answer>[] = []
    if (moment === 'starting') {
      server.url.catch(() => undefined)
      await delay(round * 20)
    } else {
      const url = await server.url
      if (moment === 'busy') requests = [1, 2, 3, 4].flatMap(() => [upload(url), listTasks(url, user)])
      // The server waits for the rest of a body.
      if (moment === 'ending') requests = [upload(url, { unfinished: true })]
      await delay(requests.length * 10)
    }
    server.terminate()
    if (moment === 'ending') {
      await delay(200)
      server.terminate()
    }
    await Promise.all(requests)
    const code = await server.exitCode
    tally.add(`${moment} ${code}`, documented.some((one) => one === code))
  }
  return tally
}

/** Reads, writes, uploads and sign-ins with right and wrong passwords at once, while the command line adds users. */
async function load(node: string, folder: string): Promise<Tally> {
  const tally = new Tally()
  const server = start(node, folder)
  const url = await server.url
  const until = performance.now() + seconds * 1000
  let alive = true
  void server.exitCode.then(() => (alive = false))
  const repeat = async (clients: number, work: (turn: number) => Promise<unknown>): Promise<void> => {
    const client = async (first: number): Promise<void> => {
      for (let turn = first; alive && performance.now() < until; turn += clients) await work(turn)
    }
    await Promise.all(Array.from({ length: clients }, (_, index) => client(index)))
  }
  // Resolves to the URL of the task that an answer tells of, if it does.
  const see = async (name: string, answer: Promise<Answer>, expected = 200): Promise<string | null> => {
    const { status, body } = await answer
    tally.add(`${name} ${status}`, status === expected)
    const [, id] = /"id":"([^"]+)"/.exec(body) ?? []
    return id === undefined ? null : `${url}/_/api/tasks/${encodeURIComponent(id)}`
  }
  await Promise.all([
    repeat(4, () => see('list', listTasks(url, user))),
    repeat(4, async (turn) => {
      const json = { title: `task ${turn}` }
      const task = await see('create', ask(`${url}/_/api/new_task`, { ...user, method: 'POST', json }))
      if (task === null) return
      await see('update', ask(task, { ...user, method: 'PUT', json: { done: true } }))
      await see('delete', ask(task, { ...user, method: 'DELETE' }))
    }),
    repeat(1, async () => {
      const task = await see('upload', upload(url))
      if (task !== null) await see('delete', ask(task, { ...user, method: 'DELETE' }))
    }),
    // Each from another address, since the eleventh failure from one is refused without a look at the password.
    repeat(4, (turn) => {
      const stranger = { ...user, password: 'a loud afternoon', from: `127.1.${(turn >> 8) % 256}.${turn % 256}` }
      return see('wrong password', listTasks(url, stranger), 401)
    }),
    repeat(1, async (turn) => {
      const newcomer = { email: `user${turn}@example.com`, password: user.password }
      await addUser(node, folder, newcomer.email)
      await see('first sign-in', listTasks(url, newcomer))
    }),
  ])
  server.terminate()
  const code = await server.exitCode
  tally.add(`ended with ${code}`, code === 0)
  return tally
}

async function dropStatements(node: string): Promise<Tally> {
  const tally = new Tally()
  const code = await exitCodeOf(spawn(node, ['--expose-gc', path('./drop-statements.js')], { stdio: 'inherit' }))
  tally.add(`ended with ${code}`, code === 0)
  return tally
}

function start(node: string, folder: string): Server {
  const words = [program, 'start', app, '--port', '0', '--data', folder]
  const child = spawn(node, words, { stdio: ['ignore', 'pipe', 'pipe'] })
  const exitCode = exitCodeOf(child)
  let errors = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => (errors += text))
  const url = new Promise<string>((resolve, reject) => {
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      const [, address] = / is ready at (http:[^\s"]+)/.exec(text) ?? []
      if (address !== undefined) resolve(address)
    })
    void exitCode.then((code) => reject(new Error(`rowhouse start ended with ${code}: ${errors}`)))
  })
  return { url, exitCode, terminate: () => child.kill('SIGTERM') }
}

/** As a shell tells it: 128 and the number of the signal when one has ended the process. */
async function exitCodeOf(child: ChildProcess): Promise<number> {
  const [code, signal] = (await once(child, 'exit')) as [number, null] | [null, NodeJS.Signals]
  return code ?? 128 + constants.signals[signal]
}

/** @throws Error when the command does not end with 0 */
async function addUser(node: string, folder: string, email: string): Promise<void> {
  const command = run(node, [program, 'users', 'add', email, '--data', folder])
  command.child.stdin?.end(`${user.password}\n`)
  await command
}

function listTasks(url: string, as: Asking): Promise<Answer> {
  return ask(`${url}/_/api/tasks`, as)
}

function upload(url: string, { unfinished = false } = {}): Promise<Answer> {
  return ask(`${url}/_/api/new_task`, { ...user, method: 'POST', ...large, unfinished })
}

interface Asking {
  readonly email: string
  readonly password: string
  readonly method?: string
  readonly json?: unknown
  readonly body?: Buffer
  readonly type?: string
  /** Whether the end of the body is never sent. */
  readonly unfinished?: boolean
  /** The address that the request comes from. */
  readonly from?: string
}

interface Answer {
  /** 0 when there was none. */
  readonly status: number
  readonly body: string
}

function ask(url: string, asking: Asking): Promise<Answer> {
  const { email, password, method = 'GET', json, body, type = 'application/json', unfinished, from } = asking
  return new Promise((resolve) => {
    const sent = json === undefined ? body : Buffer.from(JSON.stringify(json))
    const headers = sent === undefined ? {} : { 'content-type': type, 'content-length': sent.length }
    const lost = (): void => resolve({ status: 0, body: '' })
    const asked = httpRequest(url, { method, headers, auth: `${email}:${password}`, localAddress: from ?? '127.0.0.1' }, (answer) => {
      let text = ''
      answer.setEncoding('utf8').on('data', (part: string) => (text += part))
      answer.on('end', () => resolve({ status: answer.statusCode ?? 0, body: text })).on('error', lost)
    })
    asked.on('error', lost)
    if (unfinished === true) asked.write(sent?.subarray(1))
    else asked.end(sent)
  })
}
