import { describeGiven } from '../../db/errors/describe-value.js'
import type { lookedAt, TableRow, VisibleNames } from '../../db/rows/row-types.js'
import { DataRow } from '../../db/rows/row.js'
import { refusal } from '../http/http-error.js'

/**
 * The names of a source's members, where its type tells them; none of one that may have any names. Of a row, what may
 * be sent.
 */
type KnownNames<Source> = Source extends readonly unknown[]
  ? never
  : Source extends TableRow<string>
    ? 'id' | VisibleNames<Source>
    : Source extends object
      ? keyof { [Name in keyof Source as Name extends string ? (string extends Name ? never : Name) : never]: true } &
          keyof Source
      : never

/** Lets only those sources through whose type does not tell their members. */
type Untold<Source> = HasKnownNames<Source> extends true ? never : unknown

type HasKnownNames<Source> = [KnownNames<Source>] extends [never] ? false : true

/**
 * Members with the values that the source may have under any name, or unknown ones; where they go to something that
 * looks at each of them itself, as that has them.
 */
type Picked<Source, Target, Name extends string> = typeof lookedAt extends keyof Target
  ? Target
  : { readonly [N in Name]?: [Source] extends [{ readonly [name: string]: infer Value }] ? Value : unknown }

/**
 * Takes the named members out of a JSON body or a row, those that are there.
 *
 * Of a source whose type tells its members the result has their types. All other values are `unknown`, as the client
 * sent them; the methods of tables take them all the same, by names that the compiler checks, because they look at
 * each value. `pick<Target>(…)` says what the values are, and nobody checks that.
 *
 * @example task.update(pick(request.bodyJson, ['title', 'done']))
 * @throws HttpError 400 when `source` is not an object
 */
export function pick<Source extends object, const Name extends KnownNames<Source>>(
  source: Source | null | undefined,
  names: readonly Name[],
): Pick<Source, Name & keyof Source>
export function pick<Source, const Name extends string, Target = Record<Name, unknown>>(
  source: Source & Untold<Source>,
  names: readonly (Name & keyof NoInfer<Target>)[],
): Picked<Source, Target, Name>
export function pick<Target extends object>(
  source: unknown,
  names: readonly (keyof NoInfer<Target> & string)[],
): Partial<Target>
export function pick(source: unknown, names: readonly string[]): object {
  if (typeof source !== 'object' || source === null || Array.isArray(source)) {
    const expected = 'expected a JSON object as the body, with content-type: application/json'
    const got = source === null || source === undefined ? 'none' : describeGiven(source, 'caller')
    throw refusal('not-an-object', `${expected}, got ${got}`)
  }
  // The columns of a row are getters, which it inherits.
  const given: object = source instanceof DataRow ? source.toJSON() : source
  const members = names
    .filter((name) => Object.hasOwn(given, name))
    .map((name) => [name, (given as Record<string, unknown>)[name]])
  return Object.fromEntries(members) as object
}
