import cookie from '@fastify/cookie'
import formbody from '@fastify/formbody'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { assertOwnName } from '../../http/cookies/set-cookie.js'

const form = 'application/x-www-form-urlencoded'
/** Set on a scope in which the app has a parser of its own for forms, and so on all scopes in it. */
const hasOwnForm = Symbol('a parser for forms of its own')

type Scope = FastifyInstance & { [hasOwnForm]?: true }

/**
 * Registers the plugins that every `fastify.ts` has without asking: those for forms and cookies. Both give way where it
 * registers them itself, with options of its own, or something in their place.
 */
export async function registerUsualPlugins(scope: FastifyInstance): Promise<void> {
  await scope.register(formbody)
  letOthersParseForms(scope)
  const restore = letOthersDecorate(scope)
  // Its hook would read the cookies of each request, and before one that is registered further in, with other options.
  await scope.register(cookie, { hook: false })
  restore()
}

/** Fastify takes one parser for a type, unless the one that is there is taken away first. */
function letOthersParseForms(scope: FastifyInstance): void {
  const { addContentTypeParser } = scope
  Object.assign(scope, {
    addContentTypeParser(this: Scope, types: unknown, ...rest: unknown[]): unknown {
      const given: unknown[] = [types].flat()
      if (
        this[hasOwnForm] !== true &&
        given.some((type) => typeof type === 'string' && type.trim().toLowerCase() === form)
      ) {
        this.removeContentTypeParser(form)
        this[hasOwnForm] = true
      }
      return Reflect.apply(addContentTypeParser, this, [types, ...rest])
    },
  })
}

/**
 * Makes what a plugin adds to requests and replies a pair of functions, for as long as it is registered: where there is
 * a plain value, Fastify lets no scope further in add one of the same name.
 *
 * @returns ends this
 */
function letOthersDecorate(scope: FastifyInstance): () => void {
  const { decorateRequest, decorateReply } = scope
  const replaceable = (decorate: (name: string | symbol, value?: unknown) => unknown) =>
    function (this: FastifyInstance, name: string | symbol, value: unknown): unknown {
      if (typeof value === 'function') return Reflect.apply(decorate, this, [name, setters.has(name) ? setterOf(value as SetCookie) : value])
      return Reflect.apply(decorate, this, [name, name === 'cookies' ? cookiePair : pairFor(name, value)])
    }
  Object.assign(scope, { decorateRequest: replaceable(decorateRequest), decorateReply: replaceable(decorateReply) })
  return () => Object.assign(scope, { decorateRequest, decorateReply })
}

/** What replies set cookies with. */
const setters: ReadonlySet<string | symbol> = new Set(['cookie', 'setCookie', 'clearCookie'])

type SetCookie = (this: unknown, name: string, ...rest: readonly unknown[]) => unknown

/** Refuses the names of Rowhouse's own cookies where they are used, which the stack then tells. */
function setterOf(set: SetCookie): SetCookie {
  return function (name, ...rest) {
    assertOwnName(String(name))
    return Reflect.apply(set, this, [name, ...rest])
  }
}

interface Pair {
  readonly getter: (this: Record<symbol, unknown>) => unknown
  readonly setter: (this: Record<symbol, unknown>, value: unknown) => void
}

/** What has not been set costs no request anything. */
function pairFor(name: string | symbol, initial: unknown): Pair {
  const kept = Symbol(String(name))
  return {
    getter() {
      return kept in this ? this[kept] : initial
    },
    setter(value) {
      this[kept] = value
    },
  }
}

const cookies = Symbol('cookies')

/** The cookies of a request, read when they are first asked for. */
const cookiePair: Pair = {
  getter() {
    const { raw, server } = this as unknown as FastifyRequest
    return (this[cookies] ??= raw.headers.cookie === undefined ? {} : server.parseCookie(raw.headers.cookie))
  },
  setter(value) {
    this[cookies] = value
  },
}
