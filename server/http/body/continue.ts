import type { IncomingMessage, ServerResponse } from 'node:http'

/** The answers to requests whose client waits to be told to send its body. */
const awaited = new WeakMap<IncomingMessage, ServerResponse>()

/** Notes that a client has sent `Expect: 100-continue`: it hears "100 Continue" when its body is wanted, and at once the final answer where it is not (RFC 9110, 10.1.1). */
export function awaitContinue(request: IncomingMessage, response: ServerResponse): void {
  awaited.set(request, response)
}

/**
 * Says "100 Continue" to a client that waits for it.
 * Where it has not been said, Node.js closes the connection after the answer: whether the body will still come, nobody knows.
 */
export function sayContinue(request: IncomingMessage): void {
  const response = awaited.get(request)
  if (response !== undefined && !response.headersSent) response.writeContinue()
}
