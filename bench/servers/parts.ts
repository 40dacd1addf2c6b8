import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { createApp, type CreateAppOptions } from 'rowhouse'
import { requestIds } from '../../plugins/request-ids.js'
import { requestLogs } from '../../plugins/request-logs.js'
import { readBody } from '../../server/body/read-body.js'
import { runCall } from '../../server/context.js'
import { readArguments } from '../../server/endpoint/arguments.js'
import type { HandlerArguments } from '../../server/endpoint/endpoint.js'
import { findEndpoints } from '../../server/endpoint/find-endpoint.js'
import { Matcher } from '../../server/endpoint/matcher.js'
import { openLog } from '../../server/logging/open-log.js'
import { toReply } from '../../server/reply/reply.js'
import { RequestState } from '../../server/request/request-state.js'
import { RowhouseRequest } from '../../server/request/request.js'

/** A request whose body is there and whose arguments are made. */
interface ReadRequest {
  readonly request: RowhouseRequest
  readonly args: HandlerArguments
}

/**
 * Makes an app that does not listen, and gives out the parts of it that a request passes, each by itself. This is the
 * one file of the measurements that knows Rowhouse from inside: where a part moves, or is called otherwise, it alone
 * changes.
 */
export async function takeApart(options: CreateAppOptions) {
  const { rowhouse: app } = await createApp(options)
  const { configuration, endpoints } = app
  const { writeRequest } = await openLog(configuration)

  return {
    findEndpoints(server: FastifyInstance): void {
      findEndpoints(server, { matcher: new Matcher(endpoints), apiPrefix: configuration.apiPrefix })
    },

    async giveIds(server: FastifyInstance): Promise<void> {
      await server.register(requestIds, { trustedProxies: configuration.trustedProxies })
    },

    async logRequests(server: FastifyInstance): Promise<void> {
      await server.register(requestLogs, {
        write: (line) => writeRequest?.(line),
        describe: ({ found }) => ({ endpoint: found?.endpoint.path.text, user: undefined }),
      })
    },

    /** Takes in the body and makes the arguments: what {@link callHandler} is given. */
    readArguments(raw: FastifyRequest, response: FastifyReply): ReadRequest | Promise<ReadRequest> {
      const found = foundFor(raw)
      const { bodyLimit } = found.endpoint.options
      return after(readBody(raw.raw, bodyLimit, app.temporaryFiles), (body) => {
        const request = new RowhouseRequest(new RequestState(raw, response.raw, found, body))
        return after(readArguments(found, request), (args) => ({ request, args }))
      })
    },

    /** Runs the handler in a call of its own, and leaves out the wait for the disk. */
    callHandler(raw: FastifyRequest, { request, args }: ReadRequest): unknown {
      const { endpoint } = foundFor(raw)
      const call = { app, endpoint, request, requestId: raw.id, lastCommit: null }
      return runCall(call, () => endpoint.handler(args, request), undefined)
    },

    /** Turns what the handler returned into the text that is sent. */
    encode(value: unknown): string | Promise<string> {
      return after(toReply(value), ({ body }) => {
        if (typeof body !== 'string') throw new Error('the endpoints of the ladder answer with text')
        return body
      })
    },
  }
}

/**
 * Goes on with a value, at once where it is there: waiting would cost more than most parts do.
 *
 * @returns what `next` returns, or a promise of it
 */
export function after<Value, Result>(
  value: Value | Promise<Value>,
  next: (value: Value) => Result | Promise<Result>,
): Result | Promise<Result> {
  return value instanceof Promise ? value.then(next) : next(value)
}

function foundFor({ found }: FastifyRequest): NonNullable<FastifyRequest['found']> {
  if (found === null) throw new Error('no endpoint was looked for')
  return found
}
