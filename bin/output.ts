import { reportFailure } from './report-failure.js'

let isRead = true

/** What a command says does not reach standard output. The message is one sentence that says what to do. */
class OutputError extends Error {
  override readonly name = 'OutputError'
}

/**
 * Listens to what becomes of the output of a command. That whoever read it has had enough (EPIPE) is no failure and goes without a word, so that the exit code tells of the command's work alone;
 * that it cannot be written, because the disk is full for instance, is one.
 */
export function watchOutput(): void {
  process.stdout.on('error', ({ code }: NodeJS.ErrnoException) => {
    const wasRead = isRead
    isRead = false
    if (code !== 'EPIPE' && wasRead) reportFailure(new OutputError(`standard output cannot be written (${code}), so what was to be said here is missing; make room there, or send it elsewhere`))
  })
  // There is nowhere left to say so.
  process.stderr.on('error', () => undefined)
}

/** Writes a line to standard output. */
export function say(line: string): void {
  process.stdout.write(`${line}\n`)
}

/** Writes to standard output and waits until that is done, for what may be much. Resolves to whether anything more will be read there. */
export async function print(text: string): Promise<boolean> {
  await new Promise<void>((resolve) => void process.stdout.write(text, () => resolve()))
  return isRead
}
