import { execFile, fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { promisify } from 'node:util'
import type { Listening, Usage } from './servers/control.js'

const run = promisify(execFile)

/** A server in a process of its own. */
export interface Server {
  readonly url: string
  /** CPU time used so far, in microseconds. */
  cpu(): Promise<number>
  stop(): void
}

/** Starts a compiled server script; its log lines, if it writes any, are written to /dev/null, where they cost what they cost. */
export async function startServer(script: URL, folder: string, more: readonly string[] = []): Promise<Server> {
  const child = fork(script, [folder, ...more], { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] })
  const { port } = (await answer(child)) as Listening
  return {
    url: `http://127.0.0.1:${port}`,
    cpu: async () => {
      const usage = answer(child)
      child.send('usage')
      return ((await usage) as Usage).cpu
    },
    stop: () => child.disconnect(),
  }
}

async function answer(child: ChildProcess): Promise<unknown> {
  const [message] = (await once(child, 'message')) as unknown[]
  return message
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
  /** CPU time of the server per request, in microseconds. */
  readonly cpu: number
}

/** The script by which wrk sends a form. */
const formScript = new URL('../../bench/form.lua', import.meta.url)

/**
 * Puts load on a server with wrk (Debian package `wrk`).
 *
 * @throws Error when any answer was not a 2xx
 */
export async function measure(server: Server, load: Load, seconds: number): Promise<Round> {
  const before = await server.cpu()
  const headers = Object.entries(load.headers ?? {}).flatMap(([name, value]) => ['-H', `${name}: ${value}`])
  const script = load.form === undefined ? [] : ['-s', formScript.pathname]
  const { stdout } = await run('wrk', ['-t1', `-c${load.connections}`, `-d${seconds}s`, '--latency', ...script, ...headers, server.url + load.path], {
    env: { PATH: '/usr/bin:/bin:/usr/local/bin', BENCH_FORM: load.form ?? '' },
  })
  const cpu = (await server.cpu()) - before
  if (/Non-2xx|Socket errors/.test(stdout)) throw new Error(`${load.path} was not answered as it should be:\n${stdout}`)
  const requests = Number(/(\d+) requests in/.exec(stdout)?.[1])
  return { requestsPerSecond: Number(/Requests\/sec:\s+([\d.]+)/.exec(stdout)?.[1]), p99: readMilliseconds(stdout), cpu: cpu / requests }
}

function readMilliseconds(stdout: string): number {
  const [, amount, unit] = /99%\s+([\d.]+)(us|ms|s)/.exec(stdout) ?? []
  return Number(amount) * (unit === 'us' ? 0.001 : unit === 's' ? 1000 : 1)
}
