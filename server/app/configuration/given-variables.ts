import { nearestName } from '../../../db/errors/nearest-name.js'
import { variableName, variablePrefix } from '../../settings/environment.js'
import type { GivenValue, GivenValues } from './given-values.js'
import { settingsByName } from './settings.js'

/** The settings by the names of their variables; also those that have none, since somebody may look for it. */
const settingOf: ReadonlyMap<string, string> = new Map(
  [...settingsByName.keys()].map((name) => [variableName(name), name]),
)

/**
 * Reads settings from variables. Every one that starts with `ROWHOUSE_` and is no setting's is a mistake: what it was
 * meant to close would be open without a word. `PORT`, which hosts set, is the port where `ROWHOUSE_PORT` says nothing
 * else.
 *
 * @param variables as `readEnvironment` gives them
 * @param label how a variable is called in messages
 */
export function valuesOfVariables(
  variables: ReadonlyMap<string, string>,
  label: (variable: string) => string,
): GivenValues {
  const values = new Map<string, GivenValue>()
  const mistakes: string[] = []
  for (const [variable, value] of variables) {
    if (variable === 'PORT') continue
    const name = settingOf.get(variable)
    const setting = name === undefined ? undefined : settingsByName.get(name)
    if (name === undefined || setting?.variable !== true) {
      mistakes.push(`${label(variable)}: there is no such environment variable; ${suggestVariable(variable)}`)
    } else if (value !== '' || setting.check.takesEmpty === true) {
      values.set(name, { value, label: label(variable) })
    }
  }
  const port = variables.get('PORT') ?? ''
  if (port !== '' && !values.has('port')) values.set('port', { value: port, label: label('PORT') })
  return { values, mistakes }
}

function suggestVariable(unknown: string): string {
  const nearest = nearestVariable(unknown.toUpperCase().slice(variablePrefix.length))
  if (nearest === undefined) return `only settings start with ${variablePrefix}, and docs/configuration.md lists them`
  const name = settingOf.get(variablePrefix + nearest) ?? ''
  const hasVariable = settingsByName.get(name)?.variable === true
  return hasVariable ? `did you mean ${variablePrefix}${nearest}?` : `${name} is set in rowhouse.config.ts`
}

/**
 * The name that was meant, without its prefix: one that is spelt nearly so, or else the only one that has all these
 * words, as PRIVATE_ACCESS_KEY has those of ACCESS_KEY.
 */
function nearestVariable(unknown: string): string | undefined {
  const known = [...settingOf.keys()].map((variable) => variable.slice(variablePrefix.length))
  const nearest = nearestName(unknown, known)
  if (nearest !== undefined) return nearest
  const words = unknown.split('_')
  const [only, ...others] = known.filter(
    (each) =>
      words.every((word) => each.split('_').includes(word)) || each.replaceAll('_', '').includes(words.join('')),
  )
  return others.length === 0 ? only : undefined
}
