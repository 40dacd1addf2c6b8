import { execFile, fork } from 'node:child_process'
import { once } from 'node:events'
import { cpus } from 'node:os'
import { promisify } from 'node:util'
import type { Listening, Usage } from './servers/control.js'

const run = promisify(execFile)

/** A server in a process of its own. */
export interface Server {
  readonly url: string
  /** Whether it has one core to itself, and whatever puts load on it another. */
  readonly pinned: boolean
  /** CPU time used so far. */
  usage(): Promise<Usage>
  stop(): void
}

/** How a server is started. */
export interface StartOptions {
  /** Keeps server and client on a core each; by default the system moves both as it likes, which has its price. */
  readonly pinned?: boolean
}

/** The cores of a pinned server and of its client, as `taskset` numbers them. */
const cores = { server: 0, client: 1 } as const

/**
 * Starts a compiled server script; its log lines, if it writes any, are written to /dev/null, where they cost what they
 * cost.
 *
 * @throws Error when the server ends before it listens
 */
export async function startServer(
  script: URL,
  args: readonly string[],
  { pinned = false }: StartOptions = {},
): Promise<Server> {
  const command = pinned ? { execPath: 'taskset', execArgv: ['-c', String(cores.server), process.execPath] } : {}
  const child = fork(script, args, { ...command, stdio: ['ignore', 'ignore', 'inherit', 'ipc'] })
  const ended = once(child, 'exit').then(([code]) => {
    const command = [script.pathname, ...args].join(' ')
    throw new Error(`the server ${command} ended with code ${code}; what it printed stands above`)
  })
  // Told to whoever waits for an answer; while nobody does, it is no news.
  ended.catch(() => undefined)
  const answer = async (): Promise<unknown> => (await Promise.race([once(child, 'message'), ended]))[0]

  const { port } = (await answer()) as Listening
  return {
    url: `http://127.0.0.1:${port}`,
    pinned,
    usage: () => {
      const usage = answer()
      child.send('usage')
      return usage as Promise<Usage>
    },
    stop: () => child.connected && child.disconnect(),
  }
}

/** What is asked for, again and again. */
export interface Load {
  readonly path: string
  readonly headers?: Readonly<Record<string, string>>
  /** A form that is sent with POST. */
  readonly form?: string
  readonly connections: number
}

/** What one round of load showed. */
export interface Round {
  readonly requestsPerSecond: number
  /** In milliseconds. */
  readonly p99: number
  /** CPU time of the server per request, in microseconds: all of it, and its two parts. */
  readonly cpu: number
  readonly user: number
  readonly system: number
  /** How much of the core of a pinned server other programs used in the meantime, from 0 to 1; 0 for others. */
  readonly disturbance: number
}

/** The script by which wrk sends a form. */
const formScript = new URL('../../bench/form.lua', import.meta.url)

/**
 * Puts load on a server with wrk (Debian package `wrk`).
 *
 * @throws Error when any answer was not a 2xx
 */
export async function measure(server: Server, load: Load, seconds: number): Promise<Round> {
  const [before, began, busyBefore] = [await server.usage(), performance.now(), busyTime()]
  const headers = Object.entries(load.headers ?? {}).flatMap(([name, value]) => ['-H', `${name}: ${value}`])
  const script = load.form === undefined ? [] : ['-s', formScript.pathname]
  const size = ['-t1', `-c${load.connections}`, `-d${seconds}s`, '--latency']
  const wrk = ['wrk', ...size, ...script, ...headers, server.url + load.path]
  const [command = '', ...args] = server.pinned ? ['taskset', '-c', String(cores.client), ...wrk] : wrk
  const environment = { PATH: '/usr/bin:/bin:/usr/local/bin', BENCH_FORM: load.form ?? '' }
  const { stdout } = await run(command, args, { env: environment })
  const [after, ended, busyAfter] = [await server.usage(), performance.now(), busyTime()]
  if (/Non-2xx|Socket errors/.test(stdout)) throw new Error(`${load.path} was not answered as it should be:\n${stdout}`)
  const requests = Number(/(\d+) requests in/.exec(stdout)?.[1])
  const [user, system] = [(after.user - before.user) / requests, (after.system - before.system) / requests]
  const requestsPerSecond = Number(/Requests\/sec:\s+([\d.]+)/.exec(stdout)?.[1])
  const foreign = busyAfter - busyBefore - ((user + system) * requests) / 1000
  const disturbance = server.pinned ? Math.max(0, foreign / (ended - began)) : 0
  return { requestsPerSecond, p99: readMilliseconds(stdout), cpu: user + system, user, system, disturbance }
}

/** How long the core of pinned servers has been used so far, by whatever program, in milliseconds. */
function busyTime(): number {
  const { user = 0, nice = 0, sys = 0, irq = 0 } = cpus()[cores.server]?.times ?? {}
  return user + nice + sys + irq
}

function readMilliseconds(stdout: string): number {
  const [, amount, unit] = /99%\s+([\d.]+)(us|ms|s)/.exec(stdout) ?? []
  return Number(amount) * (unit === 'us' ? 0.001 : unit === 's' ? 1000 : 1)
}
