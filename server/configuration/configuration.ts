import { readFileSync, statSync } from 'node:fs'
import { basename, join, resolve } from 'node:path'
import { closest, distance } from 'fastest-levenshtein'
import { suggestName } from '../errors/nearest-name.js'
import { readEnvironment, variableName } from './environment.js'
import { loadConfigurationFile } from './configuration-file.js'
import { settings, type Configuration, type ConfigurationInput } from './settings.js'

/** Mistakes in an app's settings, all of them, one to a line; each line names the setting, where it was set, what was expected and what came. */
export class ConfigurationError extends Error {
  override readonly name = 'ConfigurationError'

  constructor(readonly mistakes: readonly string[]) {
    super(mistakes.join('\n'))
  }
}

/**
 * Gives the settings of an app their types; what it returns is its argument.
 *
 * @example export default defineConfig({ port: 8080, origin: 'https://example.com' })
 */
export function defineConfig(configuration: ConfigurationInput): ConfigurationInput {
  return configuration
}

/** What the settings of the file give way to. */
export interface ConfigurationOverrides {
  /** Values from a program, such as the options of `createApp`. */
  readonly options?: ConfigurationInput
  /** Texts from a command line, by setting; undefined for a flag that was not given. */
  readonly flags?: { readonly [Name in keyof ConfigurationInput]?: string | undefined }
}

interface Source {
  /** How a setting is called where it was set. */
  readonly label: (name: string) => string
  readonly values: Readonly<Record<string, unknown>>
  /** What is wrong beside the values. */
  readonly mistakes?: readonly string[]
  readonly isText: boolean
  /** Where a relative path starts. */
  readonly base: string
}

/**
 * The settings of the app in `directory`: its configuration file, overridden by environment variables, overridden by `options` and `flags`.
 *
 * @throws ConfigurationError that lists every mistake
 * @throws LoadError when the configuration file cannot be run
 */
export async function loadConfiguration(directory: string, { options = {}, flags = {} }: ConfigurationOverrides = {}): Promise<Configuration> {
  const folder = resolve(directory)
  if (!statSync(folder, { throwIfNoEntry: false })?.isDirectory()) throw new ConfigurationError([`there is no folder ${folder}; name the folder of an app`])
  const file = await loadConfigurationFile(folder)
  return resolveConfiguration(folder, [
    { label: (name) => `${name} (in ${file.name})`, values: file.values, isText: false, base: folder },
    { label: variableName, ...settingsOf(readEnvironment()), isText: true, base: process.cwd() },
    { label: (name) => name, values: options, isText: false, base: process.cwd() },
    { label: (name) => `--${name}`, values: flags, isText: true, base: process.cwd() },
  ])
}

function resolveConfiguration(directory: string, sources: readonly Source[]): Configuration {
  const mistakes: string[] = []
  const values: Record<string, unknown> = { directory }
  for (const [name, setting] of Object.entries(settings)) values[name] = setting.default
  for (const source of sources) {
    mistakes.push(...(source.mistakes ?? []))
    for (const [name, given] of Object.entries(source.values)) {
      if (given === undefined) continue
      if (!isSetting(name)) {
        mistakes.push(`${source.label(name)}: there is no such setting; ${suggestName(name, Object.keys(settings))}`)
        continue
      }
      const { check } = settings[name]
      const value = check.read(source.isText && typeof given === 'string' && check.fromText !== undefined ? check.fromText(given) : given)
      if (value === undefined) mistakes.push(`${source.label(name)}: expected ${check.expected}, got ${describe(given)}`)
      else values[name] = name === 'data' ? resolve(source.base, String(value)) : value
    }
  }
  values['name'] ??= nameOf(directory)
  values['realm'] ??= asRealm(String(values['name']))
  values['data'] = resolve(directory, String(values['data']))
  if (Number(values['headersTimeout']) > Number(values['requestTimeout'])) {
    mistakes.push(`headersTimeout: expected at most requestTimeout, ${values['requestTimeout']}, of which the headers are a part, got ${values['headersTimeout']}`)
  }
  if (mistakes.length > 0) throw new ConfigurationError(mistakes)
  // Every setting has been given its default above, and what replaced a default has passed that setting's check.
  return Object.freeze(values) as Configuration
}

function isSetting(name: string): name is keyof typeof settings {
  return Object.hasOwn(settings, name)
}

/** The settings that environment variables give. A variable that is nearly one of ours is a mistake; any other may have its name from elsewhere, as Kubernetes' `ROWHOUSE_SERVICE_HOST`. */
function settingsOf(variables: Readonly<Record<string, string>>): Pick<Source, 'values' | 'mistakes'> {
  const known = new Map(Object.entries(settings).filter(([, setting]) => setting.variable).map(([name]) => [variableName(name), name]))
  const values: Record<string, string> = {}
  const mistakes: string[] = []
  for (const [variable, text] of Object.entries(variables)) {
    const name = known.get(variable)
    // An empty variable counts as none, as `${PORT:-}` in a compose file gives it, except where empty is a value.
    if (name === 'apiPrefix' || (name !== undefined && text !== '')) values[name] = text
    const nearest = closest(variable, [...known.keys()])
    if (name === undefined && distance(variable, nearest) <= 2) mistakes.push(`${variable}: there is no such environment variable; did you mean ${nearest}?`)
  }
  return { values, mistakes }
}

/** What came, as far as it can be shown: numbers and short texts as they are, anything else by its type. */
function describe(value: unknown): string {
  if (typeof value === 'string') return value.length > 100 ? `a text of ${value.length} characters` : JSON.stringify(value)
  if (typeof value === 'number' || typeof value === 'boolean' || value === null) return String(value)
  return Array.isArray(value) ? `the list ${JSON.stringify(value).slice(0, 100)}` : `a value of type ${typeof value}`
}

/** An app is called as its package is, or else as its folder. */
function nameOf(directory: string): string {
  try {
    const contents: unknown = JSON.parse(readFileSync(join(directory, 'package.json'), 'utf8'))
    if (typeof contents === 'object' && contents !== null && 'name' in contents && typeof contents.name === 'string') {
      const name = contents.name.replace(/^@[^/]*\//, '')
      if (name !== '') return name
    }
  } catch {
    // No package.json, or one that npm will complain about: the folder has a name too.
  }
  return basename(directory) || 'app'
}

/** A header holds ASCII characters only: letters lose their accents, and what has no such form is left out. */
function asRealm(name: string): string {
  return name.normalize('NFKD').replace(/[^\x20-\x7e]/g, '').trim() || 'app'
}
