import { type BigIntStats, stat } from 'node:fs'
import { stat as statLater } from 'node:fs/promises'

/** How often the file is looked at, at most, in milliseconds. */
const examinePause = 1000

/**
 * Notices that a path no longer leads to the file that was opened there, because it was deleted or another one was put in its place.
 * It never opens the file: closing a second descriptor would drop this process's locks on it (https://sqlite.org/howtocorrupt.html, section 2.2).
 */
export class FileIdentity {
  readonly #path: string
  readonly #opened: BigIntStats
  #examinedAt = -Infinity

  private constructor(path: string, opened: BigIntStats) {
    this.#path = path
    this.#opened = opened
  }

  /** Remembers which file is at the path now. */
  static async of(path: string): Promise<FileIdentity> {
    return new FileIdentity(path, await statLater(path, { bigint: true }))
  }

  /** Calls back with whether another file, or none, is at the path; at once, with `false`, when it was looked at less than a second ago. */
  whenExamined(tell: (replaced: boolean) => void): void {
    const now = performance.now()
    if (now - this.#examinedAt < examinePause) {
      tell(false)
      return
    }
    this.#examinedAt = now
    stat(this.#path, { bigint: true }, (error, found) => tell(error === null ? this.#differs(found) : isMissing(error)))
  }

  #differs({ dev, ino }: BigIntStats): boolean {
    return dev !== this.#opened.dev || ino !== this.#opened.ino
  }
}

/** Any other error, such as a folder that may not be searched any more, says nothing about the file. */
function isMissing({ code }: NodeJS.ErrnoException): boolean {
  return code === 'ENOENT' || code === 'ENOTDIR'
}
