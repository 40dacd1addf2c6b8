import type { Dialect } from '../engine/dialect.js'
import type { SqlRow, Statement } from '../engine/engine.js'
import { mediaBeginning } from './media-beginning.js'
import { frameBeginning } from './media-codec.js'
import type { LaidOutColumn } from './table-layout.js'

/** What a condition says of a column. A list contains another when all members of that one are in it. */
type Comparison = 'equal' | 'null' | 'notNull' | 'above' | 'below' | 'contains'

/** One condition of a search, without its value; `null` and `notNull` have none. */
export interface Condition {
  readonly column: string
  readonly comparison: Comparison
}

/** One step of an order. */
export interface OrderStep {
  readonly column: string
  readonly descending: boolean
}

/** The form of a search; all searches of one form share a statement and differ in values only. */
export interface SearchShape {
  readonly conditions: readonly Condition[]
  readonly order: readonly OrderStep[]
  readonly limited: boolean
}

/** What statements need to know of a column. */
type StoredColumn = Pick<LaidOutColumn, 'name' | 'settings'>

/** How a search for many rows is carried out. */
export interface ListStatements {
  /** Gives whole rows. */
  readonly whole: Statement
  /** Give the rows of {@link shortForms} at most, or those of the limit, which is no more; a long text is 0 instead. */
  readonly short: readonly Statement[]
  /** The one of {@link shortForms} that would have done the last time; their number where none would. */
  form: number
}

/** How many rows are read in which form, and how many bytes all texts of a row may have together in it. What these rows can take is little beside what a search may. */
export const shortForms = [
  { rows: 64, bytes: 64 * 1024 },
  { rows: 4096, bytes: 2 * 1024 },
] as const

/** More forms than any program writes by hand; a caller who makes filters up from requests cannot fill the memory. */
const largestCache = 500

/** Puts a name between double quotes; names have none in them. */
export function quote(name: string): string {
  return `"${name}"`
}

/** An expression and not the bare placeholder: SQLite plans by the value of a bound LIMIT, and so prepares such a statement anew for each execution. */
function limit(placeholder: string): string {
  return `LIMIT CAST(${placeholder} AS BIGINT)`
}

/** The SQL of one table: a statement for each form of query, made once. */
export class Statements {
  readonly insert: Statement
  readonly byId: Statement
  readonly deleteById: Statement
  readonly deleteAll: Statement
  readonly #dialect: Dialect
  readonly #table: string
  readonly #selected: string
  readonly #returned: string
  readonly #selectedShort: readonly string[]
  readonly #cache = new Map<string, Statement>()
  /** The positions of the columns that are left out of short rows when they are long. */
  readonly #longPositions: readonly number[]
  readonly #lists = new Map<string, ListStatements>()
  readonly #counters: readonly { readonly counter: string; readonly counted: string }[]

  /** @param number that of the table in the database */
  constructor(dialect: Dialect, number: number, table: string, columns: readonly StoredColumn[]) {
    this.#dialect = dialect
    this.#table = quote(table)
    const beginning = ({ name }: StoredColumn): string => dialect.beginningOf(mediaBeginning(number, table, name))
    this.#selected = selected(columns, beginning, ({ name }) => quote(name))
    // What has been written is in memory.
    this.#returned = selected(columns, ({ name }) => `substr(${quote(name)}, 1, ${frameBeginning})`, ({ name }) => quote(name))
    this.#longPositions = columns.flatMap(({ settings }, index) => (mayBeLong(settings) ? [index + 1] : []))
    this.#selectedShort = shortForms.map(({ bytes }) => {
      const longest = Math.floor(bytes / this.#longPositions.length)
      return selected(columns, beginning, ({ name, settings }) => (mayBeLong(settings) ? dialect.unlessLonger(quote(name), longest) : quote(name)))
    })
    this.#counters = columns.flatMap(({ name, settings }) => (settings.countsEndsOf === undefined ? [] : [{ counter: name, counted: settings.countsEndsOf }]))
    const names = columns.map(({ name }) => quote(name)).join(', ')
    const values = columns.map((_, index) => dialect.placeholder(index + 1)).join(', ')
    const id = `"id" = ${dialect.placeholder(1)}`
    this.insert = { text: `INSERT INTO ${this.#table} (${names}) VALUES (${values})`, givesId: true }
    this.byId = { text: `SELECT ${this.#selected} FROM ${this.#table} WHERE ${id}` }
    this.deleteById = { text: `DELETE FROM ${this.#table} WHERE ${id}` }
    this.deleteAll = { text: `DELETE FROM ${this.#table}` }
  }

  /** Values: of the columns, then the id. Returns the whole row. */
  updateById(columns: readonly string[]): Statement {
    return this.#cached(`update by id ${columns.join()}`, () => {
      const id = this.#dialect.placeholder(columns.length + 1)
      return `UPDATE ${this.#table} SET ${this.#assignments(columns)} WHERE "id" = ${id} RETURNING ${this.#returned}`
    })
  }

  /** The stored form of a `media` column. Values: the id. */
  mediaById(column: string): Statement {
    return this.#cached(`media ${column}`, () => `SELECT ${quote(column)} FROM ${this.#table} WHERE "id" = ${this.#dialect.placeholder(1)}`)
  }

  /** Values: of the conditions, then the limit. */
  select(shape: SearchShape): Statement {
    return this.#cached(`select ${key(shape)}`, () => {
      const values = this.#numbered(1)
      return `SELECT ${this.#selected} FROM ${this.#table}${this.#tail(shape, values)}`
    })
  }

  /** The statements of a search for as many rows as there may be. */
  list(shape: SearchShape): ListStatements {
    const form = key(shape)
    const known = this.#lists.get(form)
    if (known !== undefined) return known
    if (this.#lists.size >= largestCache) this.#lists.clear()
    const short = shortForms.map(({ rows }, index) => {
      const text = `SELECT ${this.#selectedShort[index]} FROM ${this.#table}${this.#tail(shape, this.#numbered(1))}`
      return { text: shape.limited ? text : `${text} LIMIT ${rows}` }
    })
    const list = { whole: this.select(shape), short, form: 0 }
    this.#lists.set(form, list)
    return list
  }

  /** Whether no row that a `short` statement gave lacks a value that is too long for it. */
  areWhole(rows: readonly SqlRow[]): boolean {
    for (const position of this.#longPositions) {
      for (const row of rows) if (row[position] === 0) return false
    }
    return true
  }

  /** Values as of {@link select}. */
  count(shape: SearchShape): Statement {
    return this.#cached(`count ${key(shape)}`, () => {
      const values = this.#numbered(1)
      if (!shape.limited) return `SELECT count(*) FROM ${this.#table}${this.#where(shape, values)}`
      return `SELECT count(*) FROM (SELECT 1 FROM ${this.#table}${this.#where(shape, values)} ${limit(values())}) AS "found"`
    })
  }

  /** Gives one row, or none. Values: of the conditions. */
  exists(shape: SearchShape): Statement {
    return this.#cached(`exists ${key(shape)}`, () => `SELECT 1 FROM ${this.#table}${this.#where(shape, this.#numbered(1))} LIMIT 1`)
  }

  /** Values: of the columns, then as of {@link select}. Returns the ids. */
  update(columns: readonly string[], shape: SearchShape): Statement {
    return this.#cached(`update ${columns.join()} ${key(shape)}`, () => {
      const values = this.#numbered(columns.length + 1)
      return `UPDATE ${this.#table} SET ${this.#assignments(columns)}${this.#chosen(shape, values)} RETURNING "id"`
    })
  }

  /** Values as of {@link select}. Returns the ids. */
  delete(shape: SearchShape): Statement {
    return this.#cached(`delete ${key(shape)}`, () => {
      const values = this.#numbered(1)
      return `DELETE FROM ${this.#table}${this.#chosen(shape, values)} RETURNING "id"`
    })
  }

  #cached(form: string, make: () => string): Statement {
    const known = this.#cache.get(form)
    if (known !== undefined) return known
    if (this.#cache.size >= largestCache) this.#cache.clear()
    const statement = { text: make() }
    this.#cache.set(form, statement)
    return statement
  }

  /** A function that gives the next placeholder at each call. */
  #numbered(first: number): () => string {
    let next = first
    return () => this.#dialect.placeholder(next++)
  }

  #assignments(columns: readonly string[]): string {
    const assigned = columns.map((column, index) => `${quote(column)} = ${this.#dialect.placeholder(index + 1)}`)
    // What stands on the right is the row as it was.
    const counted = this.#counters
      .filter(({ counter, counted }) => columns.includes(counted) && !columns.includes(counter))
      .map(({ counter, counted }) => `${quote(counter)} = ${quote(counter)} + CASE WHEN ${quote(counted)} > ${this.#dialect.placeholder(columns.indexOf(counted) + 1)} THEN 1 ELSE 0 END`)
    return [...assigned, ...counted].join(', ')
  }

  /** The rows to write: by condition alone, or those that a limited search would find. */
  #chosen(shape: SearchShape, values: () => string): string {
    if (!shape.limited) return this.#where(shape, values)
    return ` WHERE "id" IN (SELECT "id" FROM ${this.#table}${this.#tail(shape, values)})`
  }

  #tail(shape: SearchShape, values: () => string): string {
    const where = this.#where(shape, values)
    return `${where} ORDER BY ${shape.order.map(orderTerm).join(', ')}${shape.limited ? ` ${limit(values())}` : ''}`
  }

  #where(shape: SearchShape, values: () => string): string {
    const conditions = shape.conditions.map((condition) => this.#condition(condition, values))
    return conditions.length === 0 ? '' : ` WHERE ${conditions.join(' AND ')}`
  }

  #condition({ column, comparison }: Condition, values: () => string): string {
    switch (comparison) {
      case 'equal':
        return `${quote(column)} = ${values()}`
      case 'above':
        return `${quote(column)} > ${values()}`
      case 'below':
        return `${quote(column)} < ${values()}`
      case 'null':
        return `${quote(column)} IS NULL`
      case 'notNull':
        return `${quote(column)} IS NOT NULL`
      case 'contains':
        // With its table, because the dialect may look for the name among columns of its own first.
        return this.#dialect.listContains(`${this.#table}.${quote(column)}`, values())
    }
  }
}

function mayBeLong({ kind }: LaidOutColumn['settings']): boolean {
  return kind === 'text' || kind === 'json' || kind === 'links'
}

/** The id, the columns, and the lengths of those that are not read whole, at the positions that the layout gives them. */
function selected(columns: readonly StoredColumn[], beginning: (media: StoredColumn) => string, expression: (column: StoredColumn) => string): string {
  const values = columns.map((column) => (column.settings.kind === 'media' ? beginning(column) : expression(column)))
  const lengths = columns.filter(({ settings }) => settings.kind === 'media').map(({ name }) => `length(${quote(name)})`)
  return [quote('id'), ...values, ...lengths].join(', ')
}

function key({ conditions, order, limited }: SearchShape): string {
  let text = limited ? 'limited' : ''
  for (const { column, comparison } of conditions) text += ` ${column} ${comparison}`
  for (const { column, descending } of order) text += descending ? ` -${column}` : ` +${column}`
  return text
}

function orderTerm({ column, descending }: OrderStep): string {
  return `${quote(column)} ${descending ? 'DESC NULLS LAST' : 'ASC NULLS FIRST'}`
}
