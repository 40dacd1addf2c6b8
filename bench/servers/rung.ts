import { createServer } from 'node:http'
import { fastify, type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify'
import * as rowhouse from 'rowhouse'
import { report } from './control.js'
import { note, notesApp } from './notes-app.js'
import { after, takeApart } from './parts.js'
import { rungs, type Rung } from './rungs.js'

const [directory, top] = process.argv.slice(2)
const height = rungs.findIndex((rung) => rung === top)
if (directory === undefined || height === -1) throw new Error(`usage: rung.js <folder> <one of ${rungs.join(', ')}>`)
const has = (rung: Rung): boolean => rungs.indexOf(rung) <= height

// What a rung answers that does not come to an answer of its own; as many bytes as Rowhouse sends.
const constants: Readonly<Record<string, string>> = {
  GET: JSON.stringify({ id: '[2,1000]', ...note }),
  POST: JSON.stringify({ id: '[2,1000]' }),
}

const { define, seed } = notesApp(rowhouse)
const parts = await takeApart({ directory, define, options: { data: directory, port: 0 } })
await seed()
report(await (has('+ Fastify') ? listenByFastify() : listenByNode()))

function listenByNode(): Promise<number> {
  const server = createServer(({ method = '' }, response) => {
    response.setHeader('content-type', 'application/json').end(constants[method])
  })
  return new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      if (typeof address === 'object' && address !== null) resolve(address.port)
    })
  })
}

async function listenByFastify(): Promise<number> {
  const server: FastifyInstance = fastify()
  // As Rowhouse has it: a body is read by the part that makes the arguments.
  server.addHttpMethod('POST', { hasBody: false, overrideExisting: true })
  if (has('+ finding the endpoint')) parts.findEndpoints(server)
  if (has('+ request id')) await parts.giveIds(server)
  if (has('+ request log')) await parts.logRequests(server)
  server.route({ method: ['GET', 'POST'], url: '*', handler: answer })
  return Number(new URL(await server.listen({ port: 0, host: '127.0.0.1' })).port)
}

function answer(raw: FastifyRequest, response: FastifyReply): void {
  const send = (text = constants[raw.method]): void => {
    void response.header('content-type', 'application/json').send(text)
  }
  if (!has('+ arguments')) return send()
  void after(parts.readRequest(raw, response), (read) => {
    if (!has('+ handler')) return send()
    return after(parts.handle(raw, read), (value) => {
      if (!has('+ encoding')) return send()
      return after(parts.encode(value), send)
    })
  })
}
