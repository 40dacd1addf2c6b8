const received = new WeakSet()

/** Notes that somebody has sent these bytes, or what this stream gives, so that a type that goes with them is no more than a claim. They are known by their identity: a copy is not. */
export function markReceived<Content extends Uint8Array | ArrayBuffer | ReadableStream>(content: Content): Content {
  received.add(content)
  return content
}

/** Whether just this has been sent by somebody. */
export function isReceived(content: object): boolean {
  return received.has(content)
}
