import { statSync, type Stats } from 'node:fs'

/**
 * Notices that a path no longer leads to the file or folder that was there, because it was deleted or another one was
 * put in its place. It never opens the file: closing a second descriptor would drop this process's locks on it
 * (https://sqlite.org/howtocorrupt.html, section 2.2).
 */
export class FileIdentity {
  readonly #path: string
  readonly #device: number
  readonly #inode: number

  /**
   * Remembers what is at the path now.
   *
   * @throws what the system says when nothing is
   */
  constructor(path: string) {
    const { dev, ino } = statSync(path)
    this.#path = path
    this.#device = dev
    this.#inode = ino
  }

  /** Whether it is there still. An error, such as a folder that may not be searched any more, says nothing about that. */
  isThere(): boolean {
    let found: Stats | undefined
    try {
      found = statSync(this.#path, { throwIfNoEntry: false })
    } catch {
      return true
    }
    return found?.ino === this.#inode && found.dev === this.#device
  }
}
