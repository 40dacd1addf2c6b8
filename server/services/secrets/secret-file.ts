import { randomBytes } from 'node:crypto'
import { closeSync, constants, fstatSync, openSync, readFileSync, statSync, type Stats } from 'node:fs'
import { open, rename, rm, stat, type FileHandle } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { syncFolder } from '../../../db/files/folders.js'
import { SecretError } from './secret-error.js'

/** Rights that others than the owner have, as a part of a mode (chmod(2)). */
const rightsOfOthers = 0o077
/** In bytes: room for a thousand keys. */
const longest = 64 * 1024
/** How often the file is looked at, at most, in milliseconds. */
const interval = 1000
/** What is written takes a moment; what is older than this was left behind by a process that was killed, in milliseconds. */
const leftBehindAfter = 10_000

/** The keys of a file, the newest first, as they were when it was read. */
interface StoredSecrets {
  readonly secrets: readonly string[]
  readonly found: Stats
}

/** The file in a data folder that holds the secret of the app. */
export function secretFileIn(data: string): string {
  return join(data, 'secret')
}

/** A text that nobody can guess: 256 bits as 43 letters, digits, `-` and `_`. */
export function generateSecret(): string {
  return randomBytes(32).toString('base64url')
}

/**
 * Reads the secrets of a file, the newest first; null where there is no file.
 *
 * @param whose whether the superuser may read what belongs to another user
 * @throws SecretError when others can read it, it belongs to somebody else, or it is damaged
 */
export function readSecretFile(path: string, whose: 'own' | 'of anybody' = 'own'): StoredSecrets | null {
  let descriptor: number
  try {
    // Neither through a link, nor waiting for whoever writes into a pipe.
    descriptor = openSync(path, constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0))
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOENT') return null
    throw new SecretError(
      code === 'ELOOP'
        ? `${path} is a symbolic link where the file with the app's secret has to be; put the file itself there, or set ROWHOUSE_SECRET`
        : `the file ${path} with the app's secret cannot be read (${code}); give this user the right to, or set ROWHOUSE_SECRET`,
      { cause: error },
    )
  }
  try {
    const found = fstatSync(descriptor)
    assertPrivate(path, found, whose)
    return { secrets: parse(path, readFileSync(descriptor, 'utf8')), found }
  } finally {
    closeSync(descriptor)
  }
}

/**
 * Makes the file with a new secret, for its owner alone, so that it survives a power cut. What is in one that is there stays. Only for the server that has the folder for itself.
 *
 * @throws SecretError
 */
export async function makeSecretFile(path: string): Promise<StoredSecrets> {
  // Where there is no secret no command replaces it: a start that was killed has left it there.
  await rm(besideOf(path), { force: true }).catch(() => undefined)
  await replace(path, (present) => present ?? [generateSecret()])
  const stored = readSecretFile(path)
  if (stored === null) throw new SecretError(`the file ${path} with the app's secret was deleted as soon as it was made; start again`)
  return stored
}

/**
 * Puts a new secret in front of those in the file.
 *
 * @param keep how many of those that were there stay, the newest first
 * @returns how many of them stay, and how many were dropped
 * @throws SecretError also where there is no file
 */
export async function rotateSecretFile(path: string, keep: number): Promise<{ readonly kept: number; readonly dropped: number }> {
  const missing = new SecretError(`there is no secret in ${dirname(path)}; name the data folder of the app with --data, or start the app once, which makes one`)
  if (readSecretFile(path, 'of anybody') === null) throw missing
  let kept: readonly string[] = []
  let dropped = 0
  await replace(path, (present) => {
    if (present === null) throw missing
    kept = present.slice(0, keep)
    dropped = present.length - kept.length
    return [generateSecret(), ...kept]
  })
  return { kept: kept.length, dropped }
}

/**
 * Follows what a command writes into the file while the server runs. It is looked at when the secrets are asked for, at most once a second.
 *
 * @param warn told once for each change that cannot be used; the secrets stay as they were
 * @returns what gives the secrets as they are now: the same list as long as they are the same
 */
export function followSecretFile(path: string, { secrets, found }: StoredSecrets, warn: (message: string) => void): () => readonly string[] {
  let present = secrets
  let seen: Stats | null = found
  let lookedAt = performance.now()
  return () => {
    const now = performance.now()
    if (now - lookedAt < interval) return present
    lookedAt = now
    const there = statSync(path, { throwIfNoEntry: false }) ?? null
    if (isSame(there, seen)) return present
    seen = there
    try {
      const stored = readSecretFile(path)
      if (stored === null) throw new SecretError(`the file ${path} with the app's secret is gone; put it back: the next start makes a new one, which ends all encrypted cookies`)
      seen = stored.found
      present = stored.secrets
    } catch (error) {
      warn(`${error instanceof Error ? error.message : String(error)}. Until then the server goes on with the secret that it has`)
    }
    return present
  }
}

function isSame(one: Stats | null, other: Stats | null): boolean {
  return one?.ino === other?.ino && one?.mtimeMs === other?.mtimeMs && one?.ctimeMs === other?.ctimeMs && one?.size === other?.size
}

/** Where a file is written before it is put in the place of another. */
function besideOf(path: string): string {
  return `${path}.new`
}

/** Writes a file beside it, durably, and puts that in its place. The file beside it keeps others from doing so at the same time. */
async function replace(path: string, change: (present: readonly string[] | null) => readonly string[]): Promise<void> {
  const prepared = besideOf(path)
  try {
    const left = await stat(prepared).catch(() => null)
    if (left !== null && Date.now() - left.mtimeMs > leftBehindAfter) await rm(prepared, { force: true })
    const handle = await open(prepared, 'wx', 0o600)
    try {
      try {
        await writeInto(handle, readSecretFile(path, 'of anybody'), change)
      } finally {
        await handle.close()
      }
      await rename(prepared, path)
    } catch (error) {
      await rm(prepared, { force: true })
      throw error
    }
    await syncFolder(dirname(path))
  } catch (error) {
    if (error instanceof SecretError) throw error
    const { code } = error as NodeJS.ErrnoException
    throw new SecretError(
      code === 'EEXIST'
        ? `another process is changing ${path} at this moment; try again`
        : `the file ${path} with the app's secret cannot be written (${code}); make room, or give this user the right to, or set ROWHOUSE_SECRET`,
      { cause: error },
    )
  }
}

async function writeInto(handle: FileHandle, stored: StoredSecrets | null, change: (present: readonly string[] | null) => readonly string[]): Promise<void> {
  await handle.writeFile(`${change(stored?.secrets ?? null).join('\n')}\n`)
  // The superuser may change what belongs to the user of the server.
  if (stored !== null && process.geteuid?.() === 0) await handle.chown(stored.found.uid, stored.found.gid)
  await handle.sync()
}

function assertPrivate(path: string, found: Stats, whose: 'own' | 'of anybody'): void {
  if (!found.isFile()) throw new SecretError(`${path} is no file, and the app's secret has to be in one; move it away, or set ROWHOUSE_SECRET`)
  if (found.size > longest) throw new SecretError(`${path} is too long for a file with an app's secret (${found.size} bytes); put back the right one`)
  // Windows has access lists instead, and Node makes up a mode.
  if (process.platform === 'win32') return
  const user = process.geteuid?.()
  if (found.uid !== user && !(user === 0 && whose === 'of anybody')) {
    throw new SecretError(`the file ${path} with the app's secret belongs to another user (${found.uid}), who knows it; run chown on it, or delete it, which ends all encrypted cookies, or set ROWHOUSE_SECRET`)
  }
  if ((found.mode & rightsOfOthers) !== 0) {
    throw new SecretError(`others can read or change the file ${path} with the app's secret (${(found.mode & 0o7777).toString(8)}); run chmod 600 on it, and "rowhouse secret rotate --forget" if somebody may have read it`)
  }
}

/** A line for each. */
function parse(path: string, text: string): readonly string[] {
  const lines = text.split('\n').filter((line) => line !== '')
  const damaged = lines.findIndex((line) => !/^[\w-]{32,}$/.test(line))
  if (damaged !== -1) throw new SecretError(`${path}:${damaged + 1}: expected a secret of at least 32 letters, digits, "-" and "_"; put the file back from a backup`)
  if (lines.length === 0) throw new SecretError(`the file ${path} with the app's secret is empty; put it back from a backup, or delete it, which ends all encrypted cookies`)
  return lines
}
