import { resolve } from 'node:path'
import type { FastifyInstance } from 'fastify'
import { CallWrites } from '../call/call-writes.js'
import { currentCall, type Call } from '../call/call.js'
import { createApp, type CreateAppOptions } from './create-app.js'
import { describeThrown } from './loading/load-error.js'
import { toError } from '../errors/to-error.js'
import { hideInError } from '../http/hide-secrets.js'
import { broughtBy, nothingBrought } from '../http/request/brought.js'
import { CommonRequest } from '../http/request/common-request.js'
import { escapeLines } from '../logging/escape-controls.js'
import { plainError } from '../logging/plain-error.js'
import type { Configuration } from './configuration/settings.js'

/** The port cannot be listened on. The message is one sentence that says what to do. */
class ListenError extends Error {
  override readonly name = 'ListenError'
}

/** The exit codes of a process that a signal ended (POSIX, 128 + the signal's number). */
const signalExitCodes = { SIGHUP: 129, SIGINT: 130, SIGTERM: 143 } as const
const signals = ['SIGHUP', 'SIGINT', 'SIGTERM'] as const
/** A terminal and the `npm` in between send the same Ctrl+C, one just after the other; milliseconds. */
const sameSignal = 100
/** How long the answers that tell of a database failure have to go out, in milliseconds. */
const lastWords = 100
/** How much longer than its connections an app may take to close, in milliseconds. */
const closingTime = 5000

/**
 * Runs an app until the process is told to stop (SIGTERM, SIGINT, or SIGHUP, when its terminal is closed), and ends the process: with 0 once the requests in flight have ended, or run out of time, and the database is closed,
 * with 1 when something went wrong. A second signal ends it at once.
 *
 * @returns when the app listens
 * @throws ListenError, and whatever {@link createApp} throws
 */
export async function serve(options: CreateAppOptions): Promise<FastifyInstance> {
  const life = new ProcessLife(options.directory)
  const app = await createApp({ ...options, onFailure: (failure) => life.fail(failure) })
  life.begin(app)
  await listen(app)
  return app
}

async function listen(app: FastifyInstance): Promise<void> {
  const { host, port, name } = app.rowhouse.configuration
  try {
    // For `localhost` Fastify would open a second server for IPv6, which its close() does not wait for.
    await app.listen({ port, host: host === 'localhost' ? '127.0.0.1' : host, listenTextResolver: (address) => `${name} is ready at ${address}` })
  } catch (error) {
    await app.close()
    throw describeListenFailure(error, app.rowhouse.configuration)
  }
}

function describeListenFailure(error: unknown, { host, port }: Configuration): unknown {
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  const message = {
    EADDRINUSE: `port ${port} of ${host} is in use; stop the program that listens there, or choose another port with --port`,
    EACCES: `this user may not listen on port ${port}; choose a port above 1023 with --port`,
    EADDRNOTAVAIL: `${host} is not an address of this machine; choose one with --host, such as 127.0.0.1, or 0.0.0.0 for all`,
    ENOTFOUND: `the host ${host} is not known; choose an address with --host, such as 127.0.0.1, or 0.0.0.0 for all`,
  }[String(code)]
  return message === undefined ? error : new ListenError(message, { cause: error })
}

/** What the process does about signals and about errors that nobody caught, from before the app is built until the end. */
class ProcessLife {
  readonly #directory: string
  #app: FastifyInstance | null = null
  #stoppingSince: number | null = null

  constructor(directory: string) {
    this.#directory = resolve(directory)
    for (const signal of signals) process.on(signal, () => this.#onSignal(signal))
    process.on('uncaughtException', (error) => this.#onError(error, 'an exception was not caught; the process ends'))
    process.on('unhandledRejection', (reason, promise) => this.#onRejection(reason, promise))
    process.on('rejectionHandled', (promise) => CallWrites.caught(promise))
    // What the app's own code writes there may go nowhere, for want of a reader or of room; that is no reason to stop serving, and the log tells of it.
    for (const stream of [process.stdout, process.stderr]) stream.removeAllListeners('error').on('error', () => undefined)
  }

  begin(app: FastifyInstance): void {
    this.#app = app
  }

  /** Ends the process because the database cannot be trusted any more. It is not closed: nothing may be written to it. */
  fail(failure: Error): void {
    if (this.#app === null) process.stderr.write(`${failure.message}\n`)
    else this.#app.log.fatal('the database has failed; the process ends')
    setTimeout(() => process.exit(1), lastWords)
  }

  #onSignal(signal: (typeof signals)[number]): void {
    const now = performance.now()
    if (this.#stoppingSince !== null && now - this.#stoppingSince < sameSignal) return
    // Before the app is there nothing is in flight, and a second signal means now.
    if (this.#app === null || this.#stoppingSince !== null) process.exit(signalExitCodes[signal])
    this.#stoppingSince = now
    this.#app.log.info(`${signal}: finishing the requests in flight`)
    void this.#stop(this.#app)
  }

  async #stop(app: FastifyInstance): Promise<void> {
    const { shutdownTimeout } = app.rowhouse.configuration
    const overdue = setTimeout(() => this.#onError(new Error(`the app did not close within ${shutdownTimeout + closingTime} ms`), 'the process ends'), shutdownTimeout + closingTime)
    try {
      await app.close()
      clearTimeout(overdue)
      app.log.info('stopped')
      process.exit(0)
    } catch (error) {
      this.#onError(error, 'the app could not be closed')
    }
  }

  #onError(error: unknown, message: string): void {
    if (this.#app === null) process.stderr.write(`${escapeLines(describeThrown(error, this.#directory).message)}\n`)
    else this.#app.log.fatal({ err: shown(error) }, message)
    process.exit(1)
  }

  /** Node.js tells of it where the promise was rejected: in the call whose code did not wait for it. */
  #onRejection(reason: unknown, promise: Promise<unknown>): void {
    if (this.#app === null) {
      this.#onError(reason, '')
      return
    }
    const call = currentCall()
    const isWrite = call?.writes.uncaught(promise, reason) === true
    const place = call === null || call.place === null ? '' : `, in ${call.place}`
    const message = isWrite ? 'a write was refused and nobody awaited it' : 'a promise was rejected and nobody handled it'
    this.#app.log.error({ ...(call?.requestId != null && { requestId: call.requestId }), err: shown(reason, call) }, `${message}${place}`)
  }
}

/** What was thrown, without the secrets of the process and of the request whose code has thrown it. */
function shown(thrown: unknown, call: Call | null = null): unknown {
  const request = call?.request ?? null
  try {
    return plainError(toError(thrown), hideInError(request === null ? nothingBrought : broughtBy(CommonRequest.stateOf(request).raw)))
  } catch {
    // It cannot be looked at, which the log says in its own way.
    return thrown
  }
}
