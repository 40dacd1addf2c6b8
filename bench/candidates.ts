import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdtemp } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { startServer, type Server } from './load.js'
import { account, basic } from './servers/answers.js'
import { rungs } from './servers/rungs.js'

const run = promisify(execFile)

/** A server that the ladder measures. */
export interface Candidate {
  readonly name: string
  readonly server: Server
  /** The id of a note that it has, as it stands in a path. */
  readonly id: string
  /** The cookie of a browser that has signed in; `''` where nobody can, as in older versions and on lower rungs. */
  readonly cookie: string
}

/** Starts servers, each on a database of its own and all on the same core, and stops them together. */
export class Candidates {
  readonly #folder: string
  readonly #servers: Server[] = []

  /** @param folder where the databases are */
  constructor(folder: string) {
    this.#folder = folder
  }

  /**
   * Starts a whole Rowhouse of any version with the app of the ladder, by nothing but what each has for its users.
   *
   * @param checkout its folder, in which it has been built
   * @throws Error when it has not been
   */
  async startRowhouse(name: string, checkout: string): Promise<Candidate> {
    if (!existsSync(join(checkout, 'dist/index.js'))) {
      throw new Error(`expected a built checkout of Rowhouse, got ${checkout} without dist/index.js; run npm ci in it`)
    }
    const data = await this.#makeFolder()
    await addUser(checkout, data)
    const server = await this.#start('notes', [data, checkout])
    return { name, server, id: await someId(server), cookie: await signIn(server) }
  }

  /** Starts every rung below a Rowhouse; each has the same notes as that one. */
  async startRungs({ id }: Candidate): Promise<readonly Candidate[]> {
    const lower: Candidate[] = []
    for (const rung of rungs) {
      lower.push({ name: rung, server: await this.#start('rung', [await this.#makeFolder(), rung]), id, cookie: '' })
    }
    return lower
  }

  stop(): void {
    for (const server of this.#servers) server.stop()
  }

  #makeFolder(): Promise<string> {
    return mkdtemp(join(this.#folder, 'data-'))
  }

  async #start(script: string, args: readonly string[]): Promise<Server> {
    const server = await startServer(new URL(`./servers/${script}.js`, import.meta.url), args, { pinned: true })
    this.#servers.push(server)
    return server
  }
}

/** By the command of that version, so that the hash of the password is one that it can read. */
async function addUser(checkout: string, data: string): Promise<void> {
  const command = [join(checkout, 'dist/bin/rowhouse.js'), 'users', 'add', account.email, '--data', data]
  const adding = run(process.execPath, command)
  adding.child.stdin?.end(`${account.password}\n`)
  await adding
}

async function signIn({ url }: Server): Promise<string> {
  const answer = await fetch(`${url}/_/api/sign-in`, { method: 'POST', headers: basic })
  const [line = ''] = answer.headers.getSetCookie()
  return line.split(';')[0] ?? ''
}

async function someId({ url }: Server): Promise<string> {
  const answer = await fetch(`${url}/_/api/notes`)
  if (!answer.ok) throw new Error(`the list of notes was answered with ${answer.status}: ${await answer.text()}`)
  // This is what the app of the ladder lists.
  const notes = (await answer.json()) as readonly { readonly id: string }[]
  return encodeURIComponent(notes.at(-1)?.id ?? '')
}
