import type { LinkParameters } from '../endpoint/endpoint-urls.js'
import { basePathOf } from '../http/base-path.js'
import { currentApp } from './running-app.js'

/**
 * The path of an endpoint, prefix and query included, percent-encoded: `urlFor('article', { id: 'a b', page: 2 })` is `/articles/a%20b?page=2`.
 * `new URL(urlFor(…), getAppOrigin())` is a link that can leave the app.
 *
 * @param name the endpoint's option `name` or else the name of its handler function
 * @param params those of the path are filled in, by their converters where there are any; the rest becomes the query
 * @throws Error when there is no endpoint of that name or several, a parameter of the path is missing, or a value does not fit
 */
export function urlFor(name: string, params: LinkParameters = {}): string {
  const { urls, addresses } = currentApp('urlFor()')
  return basePathOf(addresses) + urls.build(name, params)
}
