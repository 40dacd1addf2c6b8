import { type ChildProcess, spawn, type SpawnOptions } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Test } from 'tap'
import { plainNode } from './plain-node.ts'

const openModule = new URL('../../dist/db/sqlite/open.js', import.meta.url).href

/** What a child's text may use without importing it. */
const preamble = `
import { openSqlite } from ${JSON.stringify(openModule)}
const directory = process.argv[2]
const say = (text) => process.stdout.write(text + '\\n')
const log = { warn: (text) => say('warn ' + text), error: (text) => say('error ' + text) }
let commit
const onWrite = (given) => { commit = given }
const open = (options) => openSqlite({ directory, exclusive: true, log, onWrite, ...options })
`

/** Writes a program for a process of its own into the test's folder, and returns that folder, the program and the data folder it is to use. */
export function childProgram(t: Test, text: string): { folder: string; program: string; directory: string } {
  const folder = t.testdir({ 'child.mjs': preamble + text })
  return { folder, program: join(folder, 'child.mjs'), directory: join(folder, 'data') }
}

/** A process of its own, with the lines that it has printed. */
export class Child {
  readonly lines: string[] = []
  readonly process: ChildProcess
  readonly #closed: Promise<unknown>
  #waiting: { pattern: RegExp; resolve: (line: string) => void }[] = []

  constructor(command: string, args: readonly string[], options: SpawnOptions = {}) {
    this.process = spawn(command, args, { stdio: ['pipe', 'pipe', 'inherit'], ...options })
    this.#closed = once(this.process, 'close')
    if (this.process.stdout === null) throw new Error('the output of a child is always read')
    createInterface({ input: this.process.stdout }).on('line', (line) => this.#add(line))
  }

  /** Resolves to the first line that matches, printed before or from now on; rejects when the process ends without one. */
  async line(pattern: RegExp): Promise<string> {
    const printed = this.lines.find((line) => pattern.test(line))
    if (printed !== undefined) return printed
    const coming = new Promise<string>((resolve) => this.#waiting.push({ pattern, resolve }))
    const ended = this.#closed.then(() => {
      throw new Error(`the child ended without printing ${String(pattern)}; it printed:\n${this.lines.slice(-20).join('\n')}`)
    })
    return Promise.race([coming, ended])
  }

  /** Waits for the end of the process and of its output, and resolves to its exit code, null after a signal. */
  async end(): Promise<number | null> {
    await this.#closed
    return this.process.exitCode
  }

  kill(): void {
    this.process.kill('SIGKILL')
  }

  #add(line: string): void {
    this.lines.push(line)
    for (const { pattern, resolve } of this.#waiting) if (pattern.test(line)) resolve(line)
  }
}

/** Starts a program made by {@link childProgram} under Node; it is killed at the end of the test if it still runs. */
export function startNode(t: Test, program: string, args: readonly string[], options: SpawnOptions = {}): Child {
  const [node, ...words] = plainNode()
  return started(t, new Child(node, [...words, program, ...args], options))
}

/** Makes sure that the child does not outlive the test. */
export function started(t: Test, child: Child): Child {
  t.teardown(async () => {
    child.kill()
    await child.end()
  })
  return child
}
