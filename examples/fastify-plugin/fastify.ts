import { join } from 'node:path'
import compress from '@fastify/compress'
import files from '@fastify/static'
import websocket, { type WebSocket } from '@fastify/websocket'
import { durable, type FastifyInstance } from 'rowhouse'
import { tables } from './tables.js'

/** Who is in each room. */
const rooms = new Map<string, Set<WebSocket>>()

export default async function chat(app: FastifyInstance) {
  await app.register(compress, { threshold: 500 })
  await app.register(files, { root: join(import.meta.dirname, 'chat'), prefix: '/chat/' })
  await app.register(websocket, { options: { maxPayload: 1000 } })

  app.get<{ Params: { room: string } }>('/rooms/:room', { websocket: true }, (socket, request) => {
    const { room } = request.params
    const people = rooms.get(room) ?? new Set()
    rooms.set(room, people.add(socket))
    socket.on('close', () => {
      if (people.delete(socket) && people.size === 0) rooms.delete(room)
    })
    socket.on('message', async (data: Buffer) => {
      const { text } = await tables.lines.addRow({ room, text: data.toString() })
      // Nobody hears of a line that a power cut could still take back.
      await durable()
      for (const person of people) person.send(JSON.stringify({ room, text }))
    })
  })
}
