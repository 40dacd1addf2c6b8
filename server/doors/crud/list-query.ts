import { integer } from '../../../db/columns/columns.js'
import { readColumn } from '../../endpoint/parameters.js'
import { Problems, type Problem } from '../../http/problems.js'
import type { FieldValues } from '../../http/body/form.js'
import type { OpenedColumn } from './opened-column.js'

const defaultSize = 50
const largestSize = 1000

/** The parameters of a list that are no columns. */
const reservedNames = ['order', 'limit', 'cursor', 'null']

/** What a request asks of a list, converted. */
export interface ListQuery {
  readonly filter: Readonly<Record<string, unknown>>
  readonly orderBy: readonly Readonly<Record<string, 'asc' | 'desc'>>[] | undefined
  readonly size: number
  readonly after: string | null
}

/** What is wrong with opening a list with these columns, a sentence each. */
export function checkLists(asked: ReadonlyMap<string, OpenedColumn>): string[] {
  return reservedNames
    .filter((name) => asked.has(name))
    .map((name) => `the column ${name} cannot be told from the parameter "${name}" of a list; do not open it, or leave 'list' out with "only"`)
}

/**
 * Reads the query of a list: a column's name filters by equality, `null` lists the columns that have to be null, `order` the columns to order by,
 * the descending ones with "-" before them, `limit` is the size of the page and `cursor` that of the page before.
 *
 * @throws HttpError 400 that tells of every problem at once
 */
export function readListQuery(asked: ReadonlyMap<string, OpenedColumn>, query: FieldValues): ListQuery {
  const problems = new Problems()
  const comparable = namesOf(asked, ({ comparable }) => comparable)
  const filter: Record<string, unknown> = {}
  for (const name of Object.keys(query)) {
    if (reservedNames.includes(name)) continue
    const column = comparable.includes(name) ? asked.get(name) : undefined
    const value = query[name]
    if (column === undefined || value === undefined) {
      problems.addUnknown('parameter', name, [...comparable, ...reservedNames])
      continue
    }
    const read = column.read({ from: 'text', value })
    if ('problem' in read) problems.add({ code: read.code, path: name, message: `parameter ${name}: ${read.problem}` })
    else filter[name] = read.value
  }
  for (const name of new Set(listOf(query, 'null', problems))) {
    if (!comparable.includes(name)) problems.addUnknown('column', name, comparable, 'null')
    else if (Object.hasOwn(filter, name)) problems.add(invalid('null', `${name} has to be null and something else`))
    else filter[name] = null
  }
  const result = {
    filter,
    orderBy: readOrder(listOf(query, 'order', problems), ['id', ...namesOf(asked, ({ sortable }) => sortable)], problems),
    size: readSize(query['limit'], problems),
    after: readOnce('cursor', query['cursor'], problems),
  }
  problems.throwIfAny()
  return result
}

function readOrder(terms: readonly string[], sortable: readonly string[], problems: Problems): ListQuery['orderBy'] {
  const seen = new Set<string>()
  const repeated = new Set<string>()
  const steps = terms.map((term) => {
    const descending = term.startsWith('-')
    const name = descending ? term.slice(1) : term
    if (!sortable.includes(name)) problems.addUnknown('column', name, sortable, 'order')
    else if (seen.has(name)) repeated.add(name)
    seen.add(name)
    return { [name]: descending ? ('desc' as const) : ('asc' as const) }
  })
  for (const name of repeated) problems.add(invalid('order', `${name} is there more than once`))
  return steps.length === 0 ? undefined : steps
}

function readSize(value: FieldValues[string] | undefined, problems: Problems): number {
  if (value === undefined) return defaultSize
  const read = readColumn(integer(), { from: 'text', value })
  const size = 'problem' in read ? null : Number(read.value)
  if (size !== null && size >= 1 && size <= largestSize) return size
  if ('problem' in read) problems.add({ code: read.code, path: 'limit', message: `parameter limit: ${read.problem}` })
  else problems.add(invalid('limit', `expected a whole number from 1 to ${largestSize}, got ${size}`))
  return defaultSize
}

/** The names in a parameter that lists them between commas. */
function listOf(query: FieldValues, name: string, problems: Problems): readonly string[] {
  return readOnce(name, query[name], problems)?.split(',') ?? []
}

function readOnce(name: string, value: FieldValues[string] | undefined, problems: Problems): string | null {
  if (value === undefined || typeof value === 'string') return value ?? null
  const message = `parameter ${name}: expected it once, got it ${value.length} times`
  problems.add({ code: 'repeated-parameter', path: name, message })
  return null
}

function invalid(name: string, what: string): Problem {
  return { code: 'invalid-value', path: name, message: `parameter ${name}: ${what}` }
}

function namesOf(asked: ReadonlyMap<string, OpenedColumn>, which: (column: OpenedColumn) => boolean): string[] {
  return [...asked.values()].filter(which).map(({ name }) => name)
}
