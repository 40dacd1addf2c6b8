import { ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'

/** The answer that a connection waits for. Node.js keeps it under this name, for its own handling of errors; it is undocumented, and not relied on. */
export function pendingAnswer(socket: Duplex): ServerResponse | null {
  const answer: unknown = Reflect.get(socket, '_httpMessage')
  return answer instanceof ServerResponse ? answer : null
}
