import { describeGiven } from '../../db/errors/describe-value.js'
import { refusal } from '../http/http-error.js'

/**
 * Takes the named members out of a JSON body, those that are there: `task.update(pick(request.bodyJson, ['title', 'done']))`.
 * The names are checked by the compiler against what takes the result; the values are as the client sent them, so hand them to something that checks, as the writing methods of tables do.
 *
 * @throws HttpError 400 when `source` is not a JSON object
 */
export function pick<Target extends object>(source: unknown, names: readonly (keyof Target & string)[]): Partial<Target> {
  if (typeof source !== 'object' || source === null || Array.isArray(source)) {
    const expected = 'expected a JSON object as the body, with content-type: application/json'
    const got = source === null || source === undefined ? 'none' : describeGiven(source, 'caller')
    throw refusal('not-an-object', `${expected}, got ${got}`)
  }
  const members = names.filter((name) => Object.hasOwn(source, name)).map((name) => [name, (source as Record<string, unknown>)[name]])
  // Unchecked on purpose, as the docstring says: the type serves the names.
  return Object.fromEntries(members) as Partial<Target>
}
