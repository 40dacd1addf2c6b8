/**
 * The rungs of the ladder from the ground up: each is a server that does what the one before it does, and one thing
 * more. On top of them stands Rowhouse itself.
 */
export const rungs = [
  'node:http',
  '+ Fastify',
  '+ finding the endpoint',
  '+ request id',
  '+ request log',
  '+ arguments',
  '+ handler',
  '+ encoding',
] as const

/** The name of one of them. */
export type Rung = (typeof rungs)[number]
