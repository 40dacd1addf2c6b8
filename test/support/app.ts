import { cp, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createApp } from 'rowhouse'

/** What is used of a tap test here. */
interface Test {
  teardown(work: () => unknown): void
}

/** The settings that `createApp` takes. */
export type Settings = NonNullable<Parameters<typeof createApp>[0]['options']>

/** An app under test, on a database file of its own. */
export interface TestApp {
  readonly server: Awaited<ReturnType<typeof createApp>>
  /** What it has logged so far, line by line. */
  readonly log: readonly Record<string, unknown>[]
  /** The same, as it was written. */
  readonly lines: readonly string[]
  readonly directory: string
}

/** A folder of its own, removed when the test ends. */
export async function temporaryFolder(t: Test): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'rowhouse-test-'))
  t.teardown(() => rm(folder, { recursive: true, force: true }))
  return folder
}

/**
 * A copy of what `t.testdir` has made, outside of this package. `rowhouse check` reads an app there as it reads one of a
 * user, with the types of the package; within, it goes by the tsconfig.json of this package and reads all of its sources,
 * which takes it three times as long.
 */
export async function outside(t: Test, made: string): Promise<string> {
  const folder = await temporaryFolder(t)
  await cp(made, folder, { recursive: true })
  return folder
}

/** Builds an app from what `define` declares, and closes it when the test ends. */
export async function buildApp(t: Test, define: () => unknown, settings: Settings = {}, folder?: string): Promise<TestApp> {
  const directory = folder ?? (await temporaryFolder(t))
  const log: Record<string, unknown>[] = []
  const lines: string[] = []
  const server = await createApp({
    directory,
    define,
    options: { name: 'test', ...settings },
    logTo: {
      write: (line: string) => {
        lines.push(line)
        log.push(JSON.parse(line) as Record<string, unknown>)
      },
    },
  })
  t.teardown(() => server.close())
  return { server, log, lines, directory }
}

/** Builds an app and lets it listen on a free port of this machine. */
export async function startApp(t: Test, define: () => unknown, settings: Settings = {}): Promise<TestApp & { readonly url: string; readonly port: number }> {
  const app = await buildApp(t, define, settings)
  const url = await app.server.listen({ port: 0, host: '127.0.0.1' })
  return { ...app, url, port: Number(new URL(url).port) }
}

/** The header of HTTP Basic credentials. */
export function basic(username: string, password: string): { readonly authorization: string } {
  return { authorization: `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}` }
}
