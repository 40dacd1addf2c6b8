import type { IncomingMessage } from 'node:http'
import { Socket } from 'node:net'
import { refusal, type HttpError } from '../http-error.js'
import { takeIn } from '../request/intake.js'
import type { BodyHolding, BodyRoom, BodySource } from './body-room.js'
import { BodyStore, type BodyContent } from './body-store.js'
import { ChunkJoiner } from './chunk-joiner.js'
import { readContentEncoding, type ContentEncoding } from './content-encoding.js'
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
  /** What it takes of the memory of all bodies. Whoever is given the body releases it. */
  readonly memory: BodyHolding
}

/** What an endpoint takes. */
export interface BodyLimits {
  /** The longest body in bytes, before and after decompression; 0 where there is to be none at all. */
  readonly bodyLimit: number
  /** Whether it may be compressed. */
  readonly decompress: boolean
}

/** Where all bodies of a process are. */
export interface BodyRooms {
  readonly memory: BodyRoom
  /** Where those are that are too large for memory. */
  readonly files: TemporaryFiles
}

/** Tells whether a message says that a body follows (RFC 9112, 6.3). */
export function hasBody({ headers }: IncomingMessage): boolean {
  const { 'content-length': length, 'transfer-encoding': coding } = headers
  return coding !== undefined || (length !== undefined && length !== '0')
}

/**
 * Takes in the body of a request, whatever its method and type, and tells a client to send it that waits for that: up to 1 MiB into memory, larger ones into a temporary file. A compressed one is decompressed, and a multipart form taken apart, on the way.
 *
 * @param source who sends it; all that bodies take is shared out by that
 * @param limits a body of exactly the limit passes
 * @returns null when there is no body, at once where there can be none
 * @throws HttpError 413 when the body is longer, or none is taken, 415 when it is compressed in a way that is not taken, 400 when it is malformed or the client broke off, 503 when all bodies together take too much, 507 when there is no room for it on disk
 */
export function readBody(raw: IncomingMessage, source: BodySource, limits: BodyLimits, rooms: BodyRooms): Promise<ReceivedBody | null> | null {
  const { 'content-length': length, 'content-encoding': encoding, 'content-type': contentType } = raw.headers
  const { bodyLimit: limit, decompress } = limits
  if (!hasBody(raw)) return null
  try {
    if (limit === 0 || (length !== undefined && Number(length) > limit)) throw tooLong(limit)
    const scanner = contentType !== undefined && /^\s*multipart\/form-data\s*(?:;|$)/i.test(contentType) ? new MultipartScanner(readBoundary(contentType)) : null
    const compression = encoding === undefined ? null : readContentEncoding(encoding, decompress)
    if (raw.headers.expect !== undefined) sayContinue(raw)
    return receive({ raw, source, compression, limit, rooms, scanner })
  } catch (error) {
    discard(raw)
    throw error
  }
}

/** Up to which length the bytes of a body are not counted: they have been read together with its headers. */
const shortBody = 16 * 1024

interface Reception {
  readonly raw: IncomingMessage
  readonly source: BodySource
  readonly compression: ContentEncoding | null
  readonly limit: number
  readonly rooms: BodyRooms
  readonly scanner: MultipartScanner | null
}

function receive({ raw, source, compression, limit, rooms, scanner }: Reception): Promise<ReceivedBody | null> {
  return new Promise((resolve, reject) => {
    const memory = rooms.memory.hold(source)
    const decompressor = compression?.create() ?? null
    const stream = decompressor ?? raw
    const joiner = new ChunkJoiner()
    const areChunksOurs = raw.socket instanceof Socket
    const store = new BodyStore({ files: rooms.files, memory, source, areChunksOurs, onRoom: () => hold('room', false), onFailure: fail })
    let [sent, length, headerLength, window] = [0, 0, 0, 0]
    const holds = { room: false, turn: false }
    let isOver = false

    function stop(): void {
      isOver = true
      stream.off('data', onData).off('end', onEnd)
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
    // Called before the decompressor gets to see a chunk.
    function onSent(chunk: Buffer): void {
      try {
        if (sent === 0) memory.add((window = compression?.memoryFor(chunk[0] ?? 0) ?? 0))
        sent += chunk.length
        if (sent > limit) throw tooLong(limit)
      } catch (error) {
        fail(error)
      }
    }
    /** Keeps the body from flowing, or no longer does, for want of room or because others have their turn. */
    function hold(why: keyof typeof holds, isHeld: boolean): void {
      holds[why] = isHeld
      if (isOver) return
      if (holds.room || holds.turn) stream.pause()
      else stream.resume()
    }
    function onData(chunk: Buffer): void {
      try {
        length += chunk.length
        if (length > shortBody && !takeIn(chunk.length, () => hold('turn', false))) hold('turn', true)
        if (length > limit) throw tooLong(limit)
        pass(joiner.add(chunk))
      } catch (error) {
        fail(error)
      }
    }
    function pass(bytes: Buffer | null): void {
      if (bytes === null) return
      if (scanner !== null) scan(scanner, bytes)
      if (!store.add(bytes)) hold('room', true)
    }
    function scan(parts: MultipartScanner, bytes: Buffer): void {
      parts.push(bytes)
      memory.add(parts.headerLength - headerLength)
      headerLength = parts.headerLength
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
      const body = content === null ? null : { content, parts: scanner?.finish() ?? null, memory }
      stop()
      if (body === null) memory.release()
      else memory.remove(window)
      resolve(body)
    }
    function onCorrupt(error: Error): void {
      fail(refusal('malformed-body', `the body is not what its content-encoding says: ${error.message}`))
    }
    function onClose(): void {
      // A message closes after its end, too, while what it brought is still being worked on.
      if (!raw.readableEnded) fail(refusal('malformed-body', 'the connection ended before the body did'))
    }

    if (decompressor !== null) raw.on('data', onSent).pipe(decompressor.on('error', onCorrupt))
    raw.on('close', onClose).on('error', onClose)
    stream.on('data', onData).on('end', onEnd)
  })
}

/** Lets the rest of the body flow into nothing, so that the client, still sending, gets to read the answer; the server's request timeout bounds it. */
function discard(raw: IncomingMessage): void {
  raw.on('error', () => undefined)
  raw.unpipe()
  raw.on('data', ({ length }: Buffer) => {
    if (!takeIn(length, () => raw.resume())) raw.pause()
  })
  raw.resume()
}

function tooLong(limit: number): HttpError {
  const message = limit === 0 ? 'this endpoint takes no body; send none' : `the body is longer than the ${limit} bytes that this endpoint takes`
  return refusal('body-too-large', message)
}
