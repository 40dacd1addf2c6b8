import { currentCall } from '../call/call.js'
import { currentApp } from './running-app.js'

/**
 * Resolves once all that the current call has written so far would survive a power cut; outside of calls, all that was
 * written outside of them. Answers wait for that by themselves:
 * it is for what is said beside them, such as messages over a web socket, or by `reply.raw`. A transaction that is
 * still open is not waited for.
 *
 * @throws DatabaseFailure when the disk has refused it, UnawaitedWrite when a table has and nobody has caught that: nobody may be told that it was written
 *
 * @example await durable(); socket.send('saved')
 */
export async function durable(): Promise<void> {
  await (currentCall() ?? currentApp('durable()')).writes.settled()
}
