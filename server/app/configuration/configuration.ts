import { readFileSync, statSync } from 'node:fs'
import { basename, join, resolve } from 'node:path'
import { ConfigurationError } from '../../settings/configuration-error.js'
import { aboutSettings, fillEnvironment, readEnvironment } from '../../settings/environment.js'
import { findMismatches } from '../../settings/setting.js'
import { loadConfigurationFile } from './configuration-file.js'
import { inEnvironmentFile, readEnvironmentFile } from './environment-file.js'
import { describeSetting, valuesOfObject, type GivenValues } from './given-values.js'
import { valuesOfVariables } from './given-variables.js'
import { withoutInjected } from './injected-variables.js'
import { rooms, settingsByName, type Configuration, type ConfigurationInput } from './settings.js'

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

/** A place where settings are made. */
interface Source extends GivenValues {
  readonly isText: boolean
  /** Where a relative path starts. */
  readonly base: string
}

/**
 * The settings of the app in `directory`: its configuration file, overridden by its `.env`, overridden by environment
 * variables, overridden by `options` and `flags`. From then on the variables of the `.env` are in the environment of
 * the process, for the app's own code.
 *
 * @throws ConfigurationError that lists every mistake
 * @throws LoadError when the configuration file cannot be run
 */
export async function loadConfiguration(directory: string, { options = {}, flags = {} }: ConfigurationOverrides = {}): Promise<Configuration> {
  const folder = resolve(directory)
  if (!statSync(folder, { throwIfNoEntry: false })?.isDirectory()) throw new ConfigurationError([`there is no folder ${folder}; name the folder of an app`])
  const variables = readEnvironmentFile(folder)
  const taken = fillEnvironment(folder, variables)
  if (taken.size > 0) throw new ConfigurationError([...taken].map(([name, other]) => describeTaken(name, other)))
  const file = await loadConfigurationFile(folder)
  const here = process.cwd()
  return resolveConfiguration(folder, [
    { ...valuesOfObject(file.values, (name) => `${name} (in ${file.name})`), isText: false, base: folder },
    { ...valuesOfVariables(aboutSettings(variables), inEnvironmentFile), isText: true, base: folder },
    { ...valuesOfVariables(withoutInjected(readEnvironment()), (variable) => variable), isText: true, base: here },
    { ...valuesOfObject(options, (name) => name), isText: false, base: here },
    { ...valuesOfObject(flags, (name) => `--${name}`), isText: true, base: here },
  ])
}

function describeTaken(variable: string, folder: string): string {
  const why = `the .env in ${folder} has set another value, and a process has one environment`
  return `${inEnvironmentFile(variable)}: ${why}; give both the same, or run each app in a process of its own`
}

function resolveConfiguration(directory: string, sources: readonly Source[]): Configuration {
  const mistakes: string[] = []
  const values = new Map<string, unknown>([...settingsByName].map(([name, setting]) => [name, setting.default]))
  for (const source of sources) {
    mistakes.push(...source.mistakes)
    for (const [name, { value: given, label }] of source.values) {
      const { check, secret } = settingsByName.get(name) ?? {}
      const value = check?.read(source.isText && typeof given === 'string' && check.fromText !== undefined ? check.fromText(given) : given)
      if (value === undefined) {
        mistakes.push(`${label}: expected ${check?.expected}, got ${describeSetting(given, secret)}`)
      } else {
        values.set(name, check?.isPath === true && value !== null ? resolve(source.base, String(value)) : value)
      }
    }
  }
  const name = values.get('name') ?? nameOf(directory)
  values.set('name', name)
  values.set('realm', values.get('realm') ?? asRealm(String(name)))
  values.set('data', resolve(directory, String(values.get('data'))))
  // Every setting has been given its default above, and what replaced a default has passed that setting's check.
  const configuration = Object.freeze({ directory, ...grouped(values) }) as Configuration
  mistakes.push(...rooms.flatMap((room) => findMismatches(room, configuration)))
  if (mistakes.length > 0) throw new ConfigurationError(mistakes)
  return configuration
}

/** The values as an app reads them: the members of a group in an object of their own. */
function grouped(values: ReadonlyMap<string, unknown>): Record<string, unknown> {
  const whole: Record<string, unknown> = {}
  const groups: Record<string, Record<string, unknown>> = {}
  for (const [path, value] of values) {
    const [name = '', member] = path.split('.')
    if (member === undefined) whole[name] = value
    else whole[name] = Object.assign((groups[name] ??= {}), { [member]: value })
  }
  for (const group of Object.values(groups)) Object.freeze(group)
  return whole
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
