import { currentCall } from '../call/call.js'
import { basePathOf } from '../http/base-path.js'
import { currentApp } from './running-app.js'

/**
 * The root URL of the app, without a trailing slash: the origin under which the caller reached it, or the published one, and the access key of a private app.
 *
 * @param environment `'published'` for the configured `origin` whoever calls; null when there is none
 */
export function getAppOrigin(environment: 'published'): string | null
export function getAppOrigin(): string
export function getAppOrigin(environment?: 'published'): string | null {
  const { origins, addresses } = currentApp('getAppOrigin()')
  const basePath = basePathOf(addresses)
  if (environment === 'published') return origins.published === null ? null : origins.published + basePath
  const origin = origins.connected(currentCall()?.request?.url ?? null)
  if (origin === null) throw new Error('getAppOrigin() was called before the server listens, and no origin is configured; set "origin" in rowhouse.config.ts')
  return origin + basePath
}

/**
 * The root URL of the API, without a trailing slash: `getApiOrigin() + '/users'` can be fetched.
 *
 * @param environment as for {@link getAppOrigin}
 */
export function getApiOrigin(environment: 'published'): string | null
export function getApiOrigin(): string
export function getApiOrigin(environment?: 'published'): string | null {
  const { addresses } = currentApp('getApiOrigin()')
  const origin = environment === 'published' ? getAppOrigin(environment) : getAppOrigin()
  return origin === null ? null : origin + addresses.apiPrefix
}
