/** Servers that run one Fastify plugin: Rowhouse, as an app's `fastify.ts`, and Fastify itself. */
export const contenders = ['fastify.ts', 'Fastify with the same log', 'Fastify with its own log'] as const

/** The name of one of them. */
export type Contender = (typeof contenders)[number]
