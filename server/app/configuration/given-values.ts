import { isPlainObject } from '../../../db/errors/describe-value.js'
import { suggestName } from '../../errors/nearest-name.js'
import { settingsByName } from './settings.js'

/** The names that can be given on their own: those of settings, and of groups of settings. */
const topNames = [...new Set([...settingsByName.keys()].map((name) => name.replace(/\..*/, '')))]

/**
 * What one place, such as the configuration file, says about settings; nothing of it has been checked but the names.
 */
export interface GivenValues {
  /** By the whole name of the setting. */
  readonly values: ReadonlyMap<string, GivenValue>
  /** Names that no setting has, each with the nearest that one has. */
  readonly mistakes: readonly string[]
}

/** What a setting is given. */
export interface GivenValue {
  readonly value: unknown
  /** How the setting is called where it is given, for messages. */
  readonly label: string
}

/**
 * Reads settings from an object in which groups are objects.
 *
 * @param label how a setting is called in messages
 */
export function valuesOfObject(
  object: Readonly<Record<string, unknown>>,
  label: (name: string) => string,
): GivenValues {
  const values = new Map<string, GivenValue>()
  const mistakes: string[] = []
  const take = (given: Readonly<Record<string, unknown>>, known: readonly string[], group: string): void => {
    for (const [name, value] of Object.entries(given)) {
      if (value === undefined) continue
      const whole = group + name
      const members = membersOf(whole)
      if (!known.includes(name)) mistakes.push(`${label(whole)}: there is no such setting; ${suggestName(name, known)}`)
      else if (members === null) values.set(whole, { value, label: label(whole) })
      else if (isPlainObject(value)) take(value, members, `${whole}.`)
      else {
        const given = describeSetting(value, hasSecret(whole, members))
        mistakes.push(`${label(whole)}: expected an object with any of ${members.join(', ')}, got ${given}`)
      }
    }
  }
  take(object, topNames, '')
  return { values, mistakes }
}

/**
 * What came, as far as it can be shown: numbers and short texts that are no secret as they are, anything else by its
 * type.
 */
export function describeSetting(value: unknown, isSecret = false): string {
  if (value === null) return 'null'
  if (typeof value === 'string' && (isSecret || value.length > 100)) return `a text of ${value.length} characters`
  if (isSecret) return Array.isArray(value) ? 'a list' : `a value of type ${typeof value}`
  if (typeof value === 'string') return JSON.stringify(value)
  if (Array.isArray(value)) return `the list ${JSON.stringify(value).slice(0, 100)}`
  return typeof value === 'number' || typeof value === 'boolean' ? String(value) : `a value of type ${typeof value}`
}

function hasSecret(group: string, members: readonly string[]): boolean {
  return members.some((member) => settingsByName.get(`${group}.${member}`)?.secret)
}

/** The names of a group's members, or null when the name is not that of a group. */
function membersOf(name: string): readonly string[] | null {
  const members = [...settingsByName.keys()]
    .filter((each) => each.startsWith(`${name}.`))
    .map((each) => each.slice(name.length + 1))
  return members.length === 0 ? null : members
}
