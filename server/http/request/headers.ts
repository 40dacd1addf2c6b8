import type { IncomingHttpHeaders } from 'node:http'

interface HeaderMethods {
  /** The header's value, or null when it was not sent. Lines of the same name are joined with `, `. */
  get(name: string): string | null
  /** Whether the header was sent. */
  has(name: string): boolean
}

/** The headers of a request, by name in any letter case: `headers['content-type']` or `headers.get('Content-Type')`. A header that happens to be called `get` or `has` is read with `get`. */
export type RequestHeaders = Readonly<Record<string, string | undefined>> & HeaderMethods

/**
 * Wraps the headers as Node.js parsed them: lower-case names, in an object of their own.
 *
 * @param cookie what stands for the `Cookie` header
 */
export function readHeaders(raw: IncomingHttpHeaders, cookie: string | undefined): RequestHeaders {
  const values = new Map<string, string>()
  for (const [name, sent] of Object.entries(raw)) {
    const value = name === 'cookie' ? cookie : sent
    if (value !== undefined) values.set(name, Array.isArray(value) ? value.join(', ') : value)
  }
  const methods: HeaderMethods = {
    get: (name) => values.get(name.toLowerCase()) ?? null,
    has: (name) => values.has(name.toLowerCase()),
  }
  return new Proxy(methods, {
    get: (_target, name) => (typeof name !== 'string' ? undefined : name === 'get' || name === 'has' ? methods[name] : values.get(name.toLowerCase())),
    has: (_target, name) => typeof name === 'string' && values.has(name.toLowerCase()),
    // A header of these names is read with `get`; listing it would give the method in its place.
    ownKeys: () => [...values.keys()].filter((name) => !(name in methods)),
    getOwnPropertyDescriptor: (_target, name) =>
      typeof name === 'string' && values.has(name) ? { value: values.get(name), enumerable: true, configurable: true, writable: false } : undefined,
    set: () => false,
    // The proxy answers every string key with a header, which the type of its target cannot say.
  }) as RequestHeaders
}
