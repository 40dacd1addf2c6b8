import { describeValue, isPlainObject } from '../../../db/errors/describe-value.js'
import { checkSettings, optionNames, requirementOf } from '../../endpoint/options.js'
import { suggestName } from '../../errors/nearest-name.js'
import type { SharedSettings } from './crud-options.js'
import type { CrudCall } from './crud-plan.js'

/** The options that endpoints do not have. */
const ownOptions = ['columns', 'readOnly', 'ownedBy', 'only', 'links', 'sharedUnique', 'validate', 'public']
/** The options of endpoints that are not for the author to say here. */
const decided: ReadonlySet<string> = new Set(['methods', 'params', 'body'])

/** Reads the options that are those of every endpoint, and has the author say who gets in. */
export function readShared({ options, mistakes }: CrudCall): SharedSettings {
  const settings: Record<string, unknown> = {}
  const known = [...ownOptions, ...optionNames.filter((name) => !decided.has(name))]
  for (const [name, value] of Object.entries(options)) {
    if (ownOptions.includes(name)) continue
    if (known.includes(name)) settings[name] = value
    else if (decided.has(name)) mistakes.push(`the option "${name}" is not for here: these endpoints have their own; "only" chooses among them`)
    else mistakes.push(`unknown option "${name}"; ${suggestName(name, known)}`)
  }
  const { given, mistakes: wrong } = checkSettings(settings)
  mistakes.push(...wrong)
  // What follows from other mistakes is not told.
  if (wrong.length === 0) checkAccess(requirementOf(given), options, mistakes)
  return given
}

function checkAccess(requirement: string, { public: open, ownedBy, links }: CrudCall['options'], mistakes: string[]): void {
  if (open !== undefined && typeof open !== 'boolean') mistakes.push(`the option "public" takes true or false, got ${describeValue(open)}`)
  if (requirement === 'user') {
    if (open === true) mistakes.push('"authenticateUsers" and "public" contradict each other; drop one of them')
    return
  }
  if (ownedBy !== undefined) mistakes.push('"ownedBy" needs authenticateUsers: true, which says who the user is')
  else if (open !== true) mistakes.push(nobodyLetIn(requirement === 'credentials'))
  if (isPlainObject(links) && Object.values(links).some(isPlainObject)) mistakes.push('a link to rows of the user needs authenticateUsers: true, which says who the user is')
}

function nobodyLetIn(credentials: boolean): string {
  const choice = 'authenticateUsers: true lets in signed-in users only, public: true everybody'
  return credentials ? `"requireCredentials" has nobody here who would judge the credentials: ${choice}` : `it is not said who may use these endpoints: ${choice}`
}
