import { lstatSync } from 'node:fs'
import { Secrets } from './secrets.js'
import { followSecretFile, makeSecretFile, readSecretFile, secretFileIn } from './secret-file.js'
import { weaknessesOf, type SecretsSettings } from './secrets-settings.js'

/** Whose keys there are. */
export interface AppSecrets {
  /** Those of this app alone. */
  readonly own: Secrets
  /** Those of all apps that hold the same shared secret; the app's own where there is none. */
  readonly shared: Secrets
}

/** What the secrets of an app are found by. */
export interface AppSecretsOptions {
  readonly settings: SecretsSettings
  /** The data folder. */
  readonly data: string
  readonly warn: (message: string) => void
}

/**
 * Makes sure that the secret of an app can be used, if it is there already; nothing is made. Where it cannot even be looked at, the data folder is at fault, which is told by who opens that.
 *
 * @throws SecretError
 */
export function assertUsableSecret({ settings, data }: Pick<AppSecretsOptions, 'settings' | 'data'>): void {
  const file = secretFileIn(data)
  if (settings.secret === null && isVisible(file)) readSecretFile(file)
}

function isVisible(path: string): boolean {
  try {
    return lstatSync(path, { throwIfNoEntry: false }) !== undefined
  } catch {
    return false
  }
}

/**
 * The secrets of an app: those of its settings, or those of the file in its data folder, which is made where there is none.
 *
 * @throws SecretError
 */
export async function openSecrets({ settings, data, warn }: AppSecretsOptions): Promise<AppSecrets> {
  const { secret, sharedSecret } = settings
  const weaknesses = weaknessesOf(settings)
  if (weaknesses.length > 0) warn(`${weaknesses.join('. ')}. Production does not start with it`)
  const own = new Secrets(secret === null ? await fromFile(secretFileIn(data), warn) : () => secret)
  return { own, shared: sharedSecret === null ? own : new Secrets(() => sharedSecret) }
}

async function fromFile(path: string, warn: (message: string) => void): Promise<() => readonly string[]> {
  return followSecretFile(path, readSecretFile(path) ?? (await makeSecretFile(path)), warn)
}
