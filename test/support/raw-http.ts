import { once } from 'node:events'
import { connect } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'

/** An answer as it came over a socket. */
export interface RawAnswer {
  readonly status: number
  /** Lines of one name joined with `, `. */
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

/** What a client does on one connection. Texts are sent as Latin-1. */
export interface Conversation {
  readonly pieces: readonly string[]
  /** Between two pieces, in milliseconds. */
  readonly pause?: number
  /** After the last piece: wait for the server to close the connection or fall silent, say that nothing more will come, or break the connection. */
  readonly ending?: 'wait' | 'finish' | 'break'
  /** How long the server may be silent until the client goes away, in milliseconds. */
  readonly patience?: number
  /** Whether all that was wanted has come, so that the client goes away at once. */
  readonly isEnough?: (received: string) => boolean
}

/** Holds a conversation with the server on this machine; resolves to all that came back, as Latin-1. */
export async function converse(port: number, { pieces, pause = 0, ending = 'wait', patience = 150, isEnough = () => false }: Conversation): Promise<string> {
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true }).setNoDelay()
  const chunks: Buffer[] = []
  const gone = new AbortController()
  const closed = new Promise<void>((resolve) => socket.once('close', () => (resolve(), gone.abort())))
  socket.on('data', (chunk: Buffer) => {
    chunks.push(chunk)
    if (isEnough(Buffer.concat(chunks).toString('latin1'))) socket.destroy()
  })
  socket.on('error', () => undefined)
  // The server ends its half when it has said its last word, and so do we.
  socket.on('end', () => socket.end())
  await Promise.race([once(socket, 'connect').catch(() => undefined), closed])
  for (const [index, piece] of pieces.entries()) {
    if (index > 0) await delay(pause)
    if (socket.writable) socket.write(piece, 'latin1')
  }
  if (ending === 'break') socket.destroy()
  if (ending === 'finish') socket.end()
  for (let before = -1; before !== chunks.length && !socket.closed; ) {
    before = chunks.length
    await Promise.race([closed, delay(patience, undefined, { signal: gone.signal }).catch(() => undefined)])
  }
  socket.destroy()
  await closed
  return Buffer.concat(chunks).toString('latin1')
}

const fieldLine = /^([!#$%&'*+\-.^_`|~0-9A-Za-z]+):[\t ]*([\t\x20-\x7e\x80-\xff]*?)[\t ]*$/

/**
 * Takes apart all answers of a connection, interim ones (1xx) left out; one at the end that is not complete is left out too.
 *
 * @param methods of the requests in their order: an answer to HEAD has no body
 * @throws Error when something is no answer (RFC 9112)
 */
export function readAnswers(text: string, methods: readonly string[]): RawAnswer[] {
  const answers: RawAnswer[] = []
  for (let position = 0; position < text.length; ) {
    const end = text.indexOf('\r\n\r\n', position)
    if (end === -1) break
    const [statusLine = '', ...lines] = text.slice(position, end).split('\r\n')
    const status = Number(/^HTTP\/1\.1 ([1-5]\d\d) [\x20-\x7e]*$/.exec(statusLine)?.[1])
    if (Number.isNaN(status)) throw new Error(`no status line: ${JSON.stringify(statusLine)}`)
    const headers = readFields(lines)
    position = end + 4
    if (status < 200) continue
    const isHead = methods[answers.length] === 'HEAD'
    // A request that cannot be read may have begun with HEAD, and is answered with a body all the same.
    const hasBody = status !== 204 && status !== 304 && (!isHead || (headers['connection'] === 'close' && text.length > position))
    const body = hasBody ? readContent(text, position, headers) : { content: '', end: position }
    if (body === null) break
    position = body.end
    answers.push({ status, headers, body: body.content })
  }
  return answers
}

function readFields(lines: readonly string[]): Record<string, string> {
  const fields: Record<string, string> = {}
  for (const line of lines) {
    const [, name, value = ''] = fieldLine.exec(line) ?? []
    if (name === undefined) throw new Error(`no header line: ${JSON.stringify(line)}`)
    const key = name.toLowerCase()
    fields[key] = fields[key] === undefined ? value : `${fields[key]}, ${value}`
  }
  return fields
}

interface Content {
  readonly content: string
  /** Where it ends. */
  readonly end: number
}

function readContent(text: string, start: number, fields: Readonly<Record<string, string>>): Content | null {
  if (fields['transfer-encoding']?.toLowerCase() === 'chunked') return readChunks(text, start)
  const end = start + Number(fields['content-length'] ?? text.length - start)
  return end <= text.length ? { content: text.slice(start, end), end } : null
}

/** @returns null when it is not complete; @throws Error when it is malformed */
function readChunks(text: string, start: number): Content | null {
  let content = ''
  for (let position = start; ; ) {
    const lineEnd = text.indexOf('\r\n', position)
    if (lineEnd === -1) return null
    const line = text.slice(position, lineEnd)
    if (!/^[0-9A-Fa-f]{1,12}(?:;[\t\x20-\x7e\x80-\xff]*)?$/.test(line)) throw new Error(`no chunk size: ${JSON.stringify(line.slice(0, 100))}`)
    const dataEnd = lineEnd + 2 + Number.parseInt(line, 16)
    if (dataEnd === lineEnd + 2) {
      // Trailers, up to an empty line.
      const end = text.startsWith('\r\n', dataEnd) ? dataEnd : text.indexOf('\r\n\r\n', dataEnd)
      if (end === -1) return null
      const isEmpty = end === dataEnd
      if (!isEmpty) readFields(text.slice(dataEnd, end).split('\r\n'))
      return { content, end: end + (isEmpty ? 2 : 4) }
    }
    if (dataEnd + 2 > text.length) return null
    if (!text.startsWith('\r\n', dataEnd)) throw new Error('a chunk is longer than its size says')
    content += text.slice(lineEnd + 2, dataEnd)
    position = dataEnd + 2
  }
}

/**
 * The methods of the requests that a strict reader sees on a connection (RFC 9112), one for each answer that there may be. What is malformed or not complete may get one answer,
 * and so may CONNECT and what asks for the connection to be closed; nothing that follows may.
 */
export function requestsIn(text: string): string[] {
  const methods: string[] = []
  for (let position: number | null = 0; position !== null; ) {
    // Line breaks before a request are skipped (RFC 9112, 2.2).
    while (text[position] === '\r' || text[position] === '\n') position++
    if (position >= text.length) break
    methods.push(/^[^ \r\n]*/.exec(text.slice(position, position + 40))?.[0] ?? '')
    try {
      position = endOfRequest(text, position)
    } catch {
      break
    }
  }
  return methods
}

/** Where the next request starts; null when there can be none. @throws Error when the request is malformed */
function endOfRequest(text: string, start: number): number | null {
  const end = text.indexOf('\r\n\r\n', start)
  if (end === -1) return null
  const [requestLine = '', ...lines] = text.slice(start, end).split('\r\n')
  // Several spaces may count as one (RFC 9112, 3).
  const [, method, version] = /^([!#$%&'*+\-.^_`|~0-9A-Za-z]+) +[\x21-\x7e]+ +HTTP\/1\.([01])$/.exec(requestLine) ?? []
  if (version === undefined) throw new Error('malformed request line')
  const fields = readFields(lines)
  const { 'content-length': length, 'transfer-encoding': coding, connection = '' } = fields
  if (coding !== undefined && (coding.toLowerCase() !== 'chunked' || length !== undefined || version === '0')) throw new Error('ambiguous transfer-encoding')
  if (length !== undefined && !/^\d+$/.test(length)) throw new Error('ambiguous content-length')
  const hosts = lines.filter((line) => /^host:/i.test(line)).length
  if (hosts > 1 || (hosts === 0 && version === '1')) throw new Error('not one host')
  const options = new Set(connection.toLowerCase().split(',').map((option) => option.trim()))
  const content = coding === undefined ? { end: end + 4 + Number(length ?? 0) } : readChunks(text, end + 4)
  const isLast = method === 'CONNECT' || (version === '0' ? !options.has('keep-alive') : options.has('close'))
  return isLast || content === null || content.end > text.length ? null : content.end
}
