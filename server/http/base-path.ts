/** Where an app's paths begin. */
export interface AddressSettings {
  /** What stands before the paths of `httpEndpoint`. */
  readonly apiPrefix: string
  readonly private: {
    /** What stands before every path of a private app; null for others. */
    readonly accessKey: string | null
  }
}

/** What stands before every path of an app: `/<accessKey>` if it is private, else nothing. */
export function basePathOf(settings: Pick<AddressSettings, 'private'>): string {
  const { accessKey } = settings.private
  return accessKey === null ? '' : `/${accessKey}`
}

/**
 * Whether a path is the platform's own: it begins with `/_/`, and the API of the app is elsewhere.
 *
 * @param segments what stands between its slashes, decoded: `_%2Fx` is one segment, and not below `_`
 */
export function isReserved(segments: readonly string[], { apiPrefix }: Pick<AddressSettings, 'apiPrefix'>): boolean {
  if (segments[0] !== '_' || segments.length < 2) return false
  const prefix = apiPrefix.split('/').slice(1)
  return prefix.length === 0 || segments.length < prefix.length || prefix.some((segment, index) => segments[index] !== segment)
}
