import { createInterface } from 'node:readline'
import { Writable } from 'node:stream'
import type { ReadStream } from 'node:tty'

/** A password that could not be read; the message is one sentence for the person at the terminal. */
export class PasswordInputError extends Error {
  override readonly name = 'PasswordInputError'
}

/** Far above the longest password; what is longer is no password but a file piped in by mistake. */
const longestLine = 64 * 1024
const lineFeed = 0x0a

/**
 * Reads a new password from standard input, so that it is in no argument list, no shell history and no log: from a pipe its first line, without the line's end;
 * from a terminal what is typed twice, without showing it.
 *
 * @throws PasswordInputError
 */
export function readNewPassword(): Promise<string> {
  return process.stdin.isTTY ? typeTwice(process.stdin) : readFirstLine(process.stdin)
}

async function readFirstLine(input: AsyncIterable<Buffer>): Promise<string> {
  const chunks: Buffer[] = []
  let length = 0
  for await (const chunk of input) {
    const end = chunk.indexOf(lineFeed)
    chunks.push(end === -1 ? chunk : chunk.subarray(0, end))
    length += chunk.length
    if (end !== -1) break
    if (length > longestLine) throw new PasswordInputError('the first line on standard input is too long for a password')
  }
  const line = decode(Buffer.concat(chunks)).replace(/\r$/, '')
  if (line === '') throw new PasswordInputError('no password came on standard input; pipe one line, or run the command in a terminal')
  return line
}

function decode(bytes: Buffer): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch {
    throw new PasswordInputError('the password on standard input is not UTF-8')
  }
}

/** Asks on standard error, which nobody pipes into a file by mistake. The lines can be edited, and nothing of them is shown. */
async function typeTwice(terminal: ReadStream): Promise<string> {
  const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() })
  const reader = createInterface({ input: terminal, output: nowhere, terminal: true, historySize: 0 })
  const lines = reader[Symbol.asyncIterator]()
  const ask = async (question: string): Promise<string> => {
    process.stderr.write(question)
    const { done, value } = await lines.next()
    process.stderr.write('\n')
    // Ctrl-C and Ctrl-D end the input.
    if (done === true || value === '') throw new PasswordInputError('no password was given; nothing was changed')
    return value
  }
  try {
    const password = await ask('Password: ')
    if (password !== (await ask('The same again: '))) throw new PasswordInputError('the two passwords differ; nothing was changed')
    return password
  } finally {
    reader.close()
  }
}
