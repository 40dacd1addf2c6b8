import cookie from '@fastify/cookie'
import formbody from '@fastify/formbody'
import type { FastifyInstance, FastifyRequest } from 'fastify'

const form = 'application/x-www-form-urlencoded'
/** Set on a scope in which the app has a parser of its own for forms, and so on all scopes in it. */
const hasOwnForm = Symbol('a parser for forms of its own')

type Scope = FastifyInstance & { [hasOwnForm]?: true }

/**
 * Registers the plugins that every `fastify.ts` has without asking: those for forms and cookies. Both give way where it registers them itself, with options of its own, or something in their place.
 */
export async function registerUsualPlugins(scope: FastifyInstance): Promise<void> {
  await scope.register(formbody)
  letOthersParseForms(scope)
  const restore = letOthersDecorate(scope)
  // It would look at cookies before one that is registered further in, with other options.
  await scope.register(cookie, { hook: false })
  restore()
  const { parseCookie } = scope
  scope.addHook('onRequest', (request, _reply, done) => {
    if (request.server.parseCookie === parseCookie) readCookies(request, parseCookie)
    done()
  })
}

function readCookies(request: FastifyRequest, parseCookie: FastifyInstance['parseCookie']): void {
  const header = request.raw.headers.cookie
  request.cookies = header === undefined ? {} : parseCookie(header)
}

/** Fastify takes one parser for a type, unless the one that is there is taken away first. */
function letOthersParseForms(scope: FastifyInstance): void {
  const { addContentTypeParser } = scope
  Object.assign(scope, {
    addContentTypeParser(this: Scope, types: unknown, ...rest: unknown[]): unknown {
      const given: unknown[] = [types].flat()
      if (this[hasOwnForm] !== true && given.some((type) => typeof type === 'string' && type.trim().toLowerCase() === form)) {
        this.removeContentTypeParser(form)
        this[hasOwnForm] = true
      }
      return Reflect.apply(addContentTypeParser, this, [types, ...rest])
    },
  })
}

/**
 * Makes what a plugin adds to requests and replies a pair of functions, for as long as it is registered: where there is a plain value, Fastify lets no scope further in add one of the same name.
 *
 * @returns ends this
 */
function letOthersDecorate(scope: FastifyInstance): () => void {
  const { decorateRequest, decorateReply } = scope
  const replaceable = (decorate: (name: string | symbol, value?: unknown) => unknown) =>
    function (this: FastifyInstance, name: string | symbol, value: unknown): unknown {
      if (typeof value === 'function') return Reflect.apply(decorate, this, [name, value])
      const kept = Symbol(String(name))
      Reflect.apply(decorate, this, [kept, value])
      return Reflect.apply(decorate, this, [name, pairFor(kept)])
    }
  Object.assign(scope, { decorateRequest: replaceable(decorateRequest), decorateReply: replaceable(decorateReply) })
  return () => Object.assign(scope, { decorateRequest, decorateReply })
}

function pairFor(kept: symbol): { readonly getter: (this: object) => unknown; readonly setter: (this: object, value: unknown) => void } {
  return {
    getter(this: object) {
      return Reflect.get(this, kept) as unknown
    },
    setter(this: object, value: unknown) {
      Reflect.set(this, kept, value)
    },
  }
}
