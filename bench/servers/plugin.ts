import { fastify, LogController, type FastifyPluginCallback } from 'fastify'
import { createApp } from 'rowhouse'
import { contenders, type Contender } from './contenders.js'
import { report } from './control.js'
import { note } from './notes-app.js'
import { takeApart } from './parts.js'

const [directory, name] = process.argv.slice(2)
const contender = contenders.find((known) => known === name)
if (directory === undefined || contender === undefined) {
  throw new Error(`usage: plugin.js <folder> <one of ${contenders.join(', ')}>`)
}

/** What all of them serve. */
const plugin: FastifyPluginCallback = (app, _options, ready) => {
  app.get<{ Params: { id: string } }>('/notes/:id', ({ params }) => ({ id: params.id, ...note }))
  ready()
}

const server = await make(contender, directory)
report(Number(new URL(await server.listen({ port: 0, host: '127.0.0.1' })).port))

async function make(contender: Contender, directory: string) {
  const app = { directory, options: { data: directory, port: 0 } }
  if (contender === 'fastify.ts') return createApp({ ...app, define: () => undefined, plugin })
  const hasOwnLog = contender === 'Fastify with its own log'
  // A logger for each request, with its id, as a plugin of either kind has it.
  const logController = new LogController({ disableRequestLogging: !hasOwnLog })
  const bare = fastify({ logger: true, logController })
  if (!hasOwnLog) {
    const { giveIds, logRequests } = await takeApart({ ...app, define: () => undefined })
    await giveIds(bare)
    await logRequests(bare)
  }
  await bare.register(plugin)
  return bare
}
