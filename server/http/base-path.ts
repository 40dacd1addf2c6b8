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

/** Whether a path is the platform's own: it begins with `/_/`, and the API of the app is elsewhere. */
export function isReserved(path: string, { apiPrefix }: Pick<AddressSettings, 'apiPrefix'>): boolean {
  return path.startsWith('/_/') && (apiPrefix === '' || !`${path}/`.startsWith(`${apiPrefix}/`))
}
