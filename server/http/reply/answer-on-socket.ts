import { ServerResponse, type IncomingMessage } from 'node:http'
import { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { pendingAnswer } from './pending-answer.js'

type Answer = (message: IncomingMessage, response: ServerResponse) => void

/**
 * Answers a message for which Node.js has given its connection up, since it asks for a tunnel or another protocol, and ends the connection. The answers to requests before it come first.
 *
 * @param socket what Node.js passes with the message
 */
export function answerOnSocket(message: IncomingMessage, socket: Duplex, answer: Answer): void {
  // Node.js does not listen for them any more, and those answers need them.
  socket.on('error', () => socket.destroy())
  socket.on('drain', () => pendingAnswer(socket)?.emit('drain'))
  socket.on('timeout', () => pendingAnswer(socket)?.emit('timeout'))
  answerInTurn(message, socket, answer)
}

function answerInTurn(message: IncomingMessage, socket: Duplex, answer: Answer): void {
  const pending = pendingAnswer(socket)
  if (pending !== null) {
    pending.once('finish', () => answerInTurn(message, socket, answer))
  } else if (socket.writable) {
    const response = new ServerResponse(message)
    response.shouldKeepAlive = false
    response.assignSocket(socket as Socket)
    response.once('finish', () => endAfterAnswer(socket))
    answer(message, response)
  }
}

/** What Node.js passes for a message that has a body is a Duplex, which has no destroySoon(). */
function endAfterAnswer(socket: Duplex): void {
  if (socket instanceof Socket) socket.destroySoon()
  else socket.end(() => socket.destroy())
}
