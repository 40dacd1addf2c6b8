import type { IncomingMessage } from 'node:http'
import { refusal, type HttpError } from '../http-error.js'
import { BodyStore, type BodyContent } from './body-store.js'
import { ChunkJoiner } from './chunk-joiner.js'
import { decompress, type Decompressor } from './content-encoding.js'
import { sayContinue } from './continue.js'
import { readBoundary } from './multipart-boundary.js'
import { MultipartScanner, type Part } from './multipart-scanner.js'
import type { TemporaryFiles } from './temporary-files.js'

/** A body that has arrived whole. */
export interface ReceivedBody {
  /** Uncompressed. */
  readonly content: BodyContent
  /** The parts of a `multipart/form-data` body; null for any other. */
  readonly parts: readonly Part[] | null
}

/** Tells whether a message says that a body follows (RFC 9112, 6.3). */
export function hasBody({ headers }: IncomingMessage): boolean {
  const { 'content-length': length, 'transfer-encoding': coding } = headers
  return coding !== undefined || (length !== undefined && length !== '0')
}

/**
 * Takes in the body of a request, whatever its method and type, and tells a client to send it that waits for that: up to 1 MiB into memory, larger ones into a temporary file. A compressed one is decompressed, and a multipart form taken apart, on the way.
 *
 * @param limit in bytes, before and after decompression; a body of exactly this length passes
 * @returns null when there is no body, at once where there can be none
 * @throws HttpError 413 when the body is longer, 415 when it is compressed in a way that is not known, 400 when it is malformed or the client broke off, 507 when there is no room for it
 */
export function readBody(raw: IncomingMessage, limit: number, files: TemporaryFiles): Promise<ReceivedBody | null> | null {
  const { 'content-length': length, 'content-encoding': encoding, 'content-type': contentType } = raw.headers
  if (!hasBody(raw)) return null
  try {
    if (length !== undefined && Number(length) > limit) throw tooLong(limit)
    const scanner = contentType !== undefined && /^\s*multipart\/form-data\s*(?:;|$)/i.test(contentType) ? new MultipartScanner(readBoundary(contentType)) : null
    const decompressor = encoding === undefined ? null : decompress(raw, encoding)
    if (raw.headers.expect !== undefined) sayContinue(raw)
    return receive({ raw, decompressor, limit, files, scanner })
  } catch (error) {
    discard(raw)
    throw error
  }
}

interface Reception {
  readonly raw: IncomingMessage
  readonly decompressor: Decompressor | null
  readonly limit: number
  readonly files: TemporaryFiles
  readonly scanner: MultipartScanner | null
}

function receive({ raw, decompressor, limit, files, scanner }: Reception): Promise<ReceivedBody | null> {
  return new Promise((resolve, reject) => {
    const source = decompressor ?? raw
    const joiner = new ChunkJoiner()
    const store = new BodyStore(files, () => source.resume(), fail)
    let [sent, length] = [0, 0]

    function stop(): void {
      source.off('data', onData).off('end', onEnd)
      raw.off('close', onClose).off('error', onClose)
      decompressor?.off('error', onCorrupt)
      if (decompressor !== null) raw.off('data', onSent)
    }
    function fail(error: unknown): void {
      stop()
      store.abandon()
      decompressor?.on('error', () => undefined).destroy()
      discard(raw)
      reject(error)
    }
    function onSent(chunk: Buffer): void {
      sent += chunk.length
      if (sent > limit) fail(tooLong(limit))
    }
    function onData(chunk: Buffer): void {
      try {
        length += chunk.length
        if (length > limit) throw tooLong(limit)
        pass(joiner.add(chunk))
      } catch (error) {
        fail(error)
      }
    }
    function pass(bytes: Buffer | null): void {
      if (bytes === null) return
      scanner?.push(bytes)
      if (!store.add(bytes)) source.pause()
    }
    function onEnd(): void {
      // A decompressor that has seen the end of its format leaves the rest alone.
      if (decompressor !== null && decompressor.bytesWritten < sent) {
        fail(refusal('malformed-body', 'the body has something behind its compressed content'))
        return
      }
      try {
        pass(joiner.finish())
        const content = store.finish()
        if (content instanceof Promise) content.then(complete).catch(fail)
        else complete(content)
      } catch (error) {
        fail(error)
      }
    }
    function complete(content: BodyContent | null): void {
      const body = content === null ? null : { content, parts: scanner?.finish() ?? null }
      stop()
      resolve(body)
    }
    function onCorrupt(error: Error): void {
      fail(refusal('malformed-body', `the body is not what its content-encoding says: ${error.message}`))
    }
    function onClose(): void {
      // A message closes after its end, too, while what it brought is still being worked on.
      if (!raw.readableEnded) fail(refusal('malformed-body', 'the connection ended before the body did'))
    }

    if (decompressor !== null) raw.on('data', onSent)
    decompressor?.on('error', onCorrupt)
    raw.on('close', onClose).on('error', onClose)
    source.on('data', onData).on('end', onEnd)
  })
}

/** Lets the rest of the body flow into nothing, so that the client, still sending, gets to read the answer; the server's request timeout bounds it. */
function discard(raw: IncomingMessage): void {
  raw.on('error', () => undefined)
  raw.unpipe()
  raw.resume()
}

function tooLong(limit: number): HttpError {
  return refusal('body-too-large', `the body is longer than the ${limit} bytes that this endpoint takes`)
}
