import type { IncomingMessage } from 'node:http'
import type { Destination } from '../../pipeline/find-endpoint.js'

/** What is known of a message that both the app's Fastify plugin and the pipeline may answer. */
export interface Passage {
  /** Where it is sent to, all endpoints counted. */
  readonly destination: Destination
  /** Who answers it, as far as is known by now. */
  owner: 'plugin' | 'pipeline'
  /** The id that its request had with the plugin, which has passed it on; null where it has not. */
  passedOn: string | null
  /** Whether its body has been read, by somebody who then did not answer. */
  isBodyGone: boolean
}

const passage = Symbol('passage')

/** Kept with the message itself, because that is all that two servers have in common. */
type Carrier = IncomingMessage & { [passage]?: Passage }

/** Null for a message that nobody has looked at. */
export function passageOf(raw: IncomingMessage): Passage | null {
  return (raw as Carrier)[passage] ?? null
}

export function setPassage(raw: IncomingMessage, value: Passage): void {
  ;(raw as Carrier)[passage] = value
}

/** The id of a request that the plugin has passed on to the pipeline: it stays the same. Null for any other. */
export function passedOnId(raw: IncomingMessage): string | null {
  return passageOf(raw)?.passedOn ?? null
}
