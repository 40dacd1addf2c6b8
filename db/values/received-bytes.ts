const received = new WeakSet()

/**
 * Notes that somebody has sent these bytes, or what this stream gives, so that a type that goes with them is no more than a claim. They are known by their identity, and other views of
 * them by the memory that they share, where that is their own; a copy is not known.
 */
export function markReceived<Content extends Uint8Array | ArrayBuffer | ReadableStream>(content: Content): Content {
  received.add(content)
  if (ArrayBuffer.isView(content) && hasOwnMemory(content)) received.add(content.buffer)
  return content
}

/** Whether just this, or what it is a view of, has been sent by somebody. */
export function isReceived(content: object): boolean {
  return received.has(content) || (ArrayBuffer.isView(content) && received.has(content.buffer))
}

/** The same bytes in memory that holds nothing else of the process, so that all views of them can be told. */
export function inOwnMemory(bytes: Uint8Array): Uint8Array {
  return hasOwnMemory(bytes) ? bytes : new Uint8Array(bytes)
}

/** Short Buffers share their memory with others (`Buffer.poolSize`); what is longer is a part of what was received together at most. */
function hasOwnMemory({ buffer, byteLength }: ArrayBufferView): boolean {
  return byteLength === buffer.byteLength || buffer.byteLength > Buffer.poolSize
}
