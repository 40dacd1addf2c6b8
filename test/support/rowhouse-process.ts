import { spawn, type ChildProcess } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { plainNode } from './plain-node.ts'

const program = fileURLToPath(new URL('../../dist/bin/rowhouse.js', import.meta.url))

/** What the tests use of a tap test. */
interface Test {
  teardown(work: () => unknown): void
}

/** How a process ended. */
export interface Ending {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly stdout: string
  readonly stderr: string
}

/** Where and with what a process runs. */
export interface ProcessOptions {
  readonly cwd?: string
  readonly env?: Readonly<Record<string, string>>
  /** A command that runs it: the command's own words, which come before those of the process. */
  readonly through?: readonly string[]
}

/** A running `rowhouse`. */
export interface RowhouseProcess {
  readonly child: ChildProcess
  /** Everything written so far. */
  readonly output: { stdout: string; stderr: string }
  readonly ended: Promise<Ending>
}

/** A `rowhouse start` that answers. */
export interface RowhouseServer extends RowhouseProcess {
  readonly url: string
}

/** For `through`: makes somebody who may not do everything of the superuser. */
export const asOrdinaryUser: readonly string[] = process.getuid?.() === 0 ? ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups'] : []

/** Starts `rowhouse` with these words, as a process of its own, which ends with the test at the latest. */
export function startRowhouse(t: Test, words: readonly string[], { cwd, env, through = [] }: ProcessOptions = {}): RowhouseProcess {
  const [node, ...nodeWords] = plainNode(env?.['NODE_OPTIONS'])
  const [command = node, ...rest] = [...through, node, ...nodeWords, program, ...words]
  const child = spawn(command, rest, { cwd, env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] })
  const output = { stdout: '', stderr: '' }
  child.stdout.setEncoding('utf8').on('data', (text: string) => (output.stdout += text))
  child.stderr.setEncoding('utf8').on('data', (text: string) => (output.stderr += text))
  const ended = new Promise<Ending>((resolve) => child.once('close', (code, signal) => resolve({ code, signal, ...output })))
  t.teardown(async () => {
    child.kill('SIGKILL')
    await ended
  })
  return { child, output, ended }
}

/** Runs `rowhouse` with these words to its end. */
export function runRowhouse(t: Test, words: readonly string[], options?: ProcessOptions): Promise<Ending> {
  return startRowhouse(t, words, options).ended
}

/** Runs `rowhouse start` on a free port and waits until it says where it answers. */
export async function startServer(t: Test, directory: string, words: readonly string[] = [], options?: ProcessOptions): Promise<RowhouseServer> {
  const server = startRowhouse(t, ['start', directory, '--port', '0', ...words], options)
  const url = await new Promise<string>((resolve, reject) => {
    const look = (): void => {
      const ready = / is ready at (http:\/\/[^\s"]+)/.exec(server.output.stdout)
      if (ready?.[1] !== undefined) resolve(ready[1])
    }
    server.child.stdout?.on('data', look)
    void server.ended.then(({ code, stderr }) => reject(new Error(`rowhouse start ended with ${code}: ${stderr}`)))
  })
  return { ...server, url }
}
