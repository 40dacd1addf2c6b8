import type { IncomingMessage } from 'node:http'
import { HttpError } from '../errors/http-error.js'

/**
 * Reads the body of a request into memory, whatever its method and type.
 *
 * @param limit in bytes; a body of exactly this length passes
 * @returns the bytes as sent, or null when there is no body
 * @throws HttpError 413 when the body is longer, 415 when it is compressed, 400 when the client broke off
 */
export function readBody(raw: IncomingMessage, limit: number): Promise<Buffer | null> | null {
  const { 'content-length': length, 'transfer-encoding': transferEncoding, 'content-encoding': encoding } = raw.headers
  if (transferEncoding === undefined && (length === undefined || length === '0')) return null
  if (encoding !== undefined && encoding.toLowerCase() !== 'identity') {
    discard(raw)
    throw new HttpError(415, `the body is sent with content-encoding ${JSON.stringify(encoding)}; send it uncompressed`, {}, { 'accept-encoding': 'identity' })
  }
  if (length !== undefined && Number(length) > limit) {
    discard(raw)
    throw tooLarge(limit)
  }
  return collect(raw, limit)
}

function collect(raw: IncomingMessage, limit: number): Promise<Buffer | null> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = []
    let length = 0
    const stop = (): void => {
      raw.off('data', onData).off('end', onEnd).off('close', onClose).off('error', onClose)
    }
    const onData = (chunk: Buffer): void => {
      length += chunk.length
      if (length <= limit) {
        chunks.push(chunk)
        return
      }
      stop()
      discard(raw)
      reject(tooLarge(limit))
    }
    const onEnd = (): void => {
      stop()
      const [first] = chunks
      if (length === 0 || first === undefined) resolve(null)
      else resolve(chunks.length === 1 ? first : Buffer.concat(chunks, length))
    }
    const onClose = (): void => {
      stop()
      reject(new HttpError(400, 'the connection ended before the body did'))
    }
    raw.on('data', onData).on('end', onEnd).on('close', onClose).on('error', onClose)
  })
}

/** Lets the rest of the body flow into nothing, so that the client, still sending, gets to read the answer; the server's request timeout bounds it. */
function discard(raw: IncomingMessage): void {
  raw.on('error', () => undefined)
  raw.resume()
}

function tooLarge(limit: number): HttpError {
  return new HttpError(413, `the body is longer than the ${limit} bytes that this endpoint takes`)
}
