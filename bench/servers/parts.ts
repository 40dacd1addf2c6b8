import { join } from 'node:path'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { createApp, type CreateAppOptions } from 'rowhouse'
import { requestIds } from '../../plugins/request-ids.js'
import { requestLogs } from '../../plugins/request-logs.js'
import { openBodyRooms } from '../../server/app/body-rooms.js'
import type { HandlerArguments } from '../../server/endpoint/endpoint.js'
import { Matcher } from '../../server/endpoint/matcher.js'
import { readBody } from '../../server/http/body/read-body.js'
import { readCorsRule } from '../../server/http/cors/cors-options.js'
import { toReply } from '../../server/http/reply/reply.js'
import { SecurityHeaders } from '../../server/http/reply/security-headers.js'
import { HttpsHosts } from '../../server/http/request/https-hosts.js'
import { RequestState } from '../../server/http/request/request-state.js'
import { RowhouseRequest } from '../../server/http/request/request.js'
import { openLog } from '../../server/logging/open-log.js'
import { readArguments } from '../../server/pipeline/arguments.js'
import { findDestination, findEndpoints } from '../../server/pipeline/find-endpoint.js'

/** A request whose body is there and whose arguments are made. */
interface ReadRequest {
  readonly request: RowhouseRequest
  readonly args: HandlerArguments
}

/**
 * Makes an app that does not listen, and gives out the parts of Rowhouse that a request passes, each by itself. This is
 * the one file of the measurements that knows Rowhouse from inside: where a part moves, or is called otherwise, it alone
 * changes.
 */
export async function takeApart(options: CreateAppOptions) {
  const { configuration, endpoints } = (await createApp(options)).rowhouse
  const securityHeaders = new SecurityHeaders(configuration, new HttpsHosts(configuration))
  const { writeRequest, platform } = await openLog(configuration)
  const rooms = openBodyRooms({ ...configuration, data: join(configuration.data, 'ladder') }, platform)

  const matcher = new Matcher(endpoints)

  return {
    findEndpoints(server: FastifyInstance): void {
      const destinationOf = ({ raw, originalUrl }: FastifyRequest) => findDestination(raw, originalUrl, matcher)
      findEndpoints(server, { destinationOf, addresses: configuration, cors: readCorsRule(configuration.cors, configuration) })
    },

    async giveIds(server: FastifyInstance): Promise<void> {
      await server.register(requestIds, { trustedProxies: configuration.trustedProxies })
    },

    async logRequests(server: FastifyInstance): Promise<void> {
      await server.register(requestLogs, {
        write: (line) => writeRequest?.(line),
        describe: ({ found, routeOptions }) => ({ endpoint: found?.endpoint.path.text ?? routeOptions.url }),
      })
    },

    /** Takes in the body and makes the arguments. */
    readRequest(raw: FastifyRequest, response: FastifyReply): ReadRequest | Promise<ReadRequest> {
      const found = foundFor(raw)
      return after(readBody(raw.raw, raw, found.endpoint.options, rooms), (body) => {
        const request = new RowhouseRequest(new RequestState(raw, response.raw, found))
        RowhouseRequest.stateOf(request).receive(body)
        return after(readArguments(found, request), (args) => ({ request, args }))
      })
    },

    /** Runs the handler, in no call, and without the wait for the disk. */
    handle(raw: FastifyRequest, { request, args }: ReadRequest): unknown {
      return foundFor(raw).endpoint.handler(args, request)
    },

    /** Turns what the handler returned into the text that is sent. */
    encode(value: unknown): string | Promise<string> {
      return after(toReply(value, { settings: configuration, securityHeaders }), ({ body }) => {
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
