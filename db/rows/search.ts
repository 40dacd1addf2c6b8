import { Cursors, partsBehind, placeBehind, type Place } from './cursor.js'
import { describeValue, isPlainObject } from '../errors/describe-value.js'
import type { ReadBudget, SqlRow, SqlValue } from '../engine/engine.js'
import { TableError } from '../errors/errors.js'
import { isPromiseLike } from '../values/promise-like.js'
import { badQuery, orderById, parseFilter, parseOrder, type Conditions, type SearchOrderStep } from './query.js'
import { deleted, present, written } from './refused-writes.js'
import type { DataRow } from './row.js'
import type { Page } from './row-types.js'
import { shortForms, type ListStatements, type OrderStep, type SearchShape } from './statements.js'
import type { TableLayout } from './table-layout.js'
import { encodeChanges } from './written-values.js'

/** How many rows `for await` reads at a time, and how many bytes of them. */
const batchSize = 200
const batchBytes = 4 * 1024 * 1024
const largestPage = 1000

/** A search that has not been carried out yet; see `TableSearch` for what TypeScript promises of it. */
export class Search implements AsyncIterable<DataRow> {
  readonly #layout: TableLayout
  readonly #makeRow: (values: SqlRow) => DataRow
  readonly #filter: Conditions
  readonly #order: readonly SearchOrderStep[]
  readonly #limit: number | undefined

  /** @throws TableError at once when filter or options are wrong */
  constructor(layout: TableLayout, makeRow: (values: SqlRow) => DataRow, filter: unknown, options: unknown) {
    this.#layout = layout
    this.#makeRow = makeRow
    this.#filter = parseFilter(layout, filter)
    const { orderBy, limit } = parseOptions(layout, options)
    this.#order = orderBy === undefined ? orderById : parseOrder(layout, orderBy)
    this.#limit = limit
  }

  all(): Promise<DataRow[]> {
    return this.#allWithin(Infinity)
  }

  async first(): Promise<DataRow | null> {
    const [row] = await this.#atMost(1)
    return row === undefined ? null : this.#makeRow(row)
  }

  async one(): Promise<DataRow | null> {
    const [row, another] = await this.#atMost(2)
    if (another !== undefined) {
      const { name: table } = this.#layout
      throw new TableError('several-rows', `${table}: expected one row at most, found several`, { table })
    }
    return row === undefined ? null : this.#makeRow(row)
  }

  async map<Result>(fn: (row: DataRow, index: number) => Result): Promise<Awaited<Result>[]> {
    const read = this.#readAll(Infinity)
    const rows = read instanceof Promise ? await read : read
    const results = rows.map((row, index) => fn(this.#makeRow(row), index))
    // Promise.all would make a promise of every plain value too. Without a promise among them, the results are what awaiting them gives.
    return results.some(isPromiseLike) ? Promise.all(results) : (results as Awaited<Result>[])
  }

  async count(): Promise<number> {
    const { statements, transactions } = this.#layout.attachment
    const [row] = await transactions.connection().read(statements.count(this.#shape(this.#limit)), this.#values(this.#limit))
    return Number(row?.[0])
  }

  async exists(): Promise<boolean> {
    if (this.#limit === 0) return false
    const { statements, transactions } = this.#layout.attachment
    const rows = await transactions.connection().read(statements.exists(this.#shape(undefined)), this.#filter.values)
    return rows.length > 0
  }

  /**
   * @param takes told of each row in turn: the page ends before the first that it refuses, but has one row at least
   * @param bytes how much the rows may take in memory together; the page ends before the first that would exceed it
   */
  async page(options: unknown, takes?: (row: DataRow) => boolean, bytes = Infinity): Promise<Page<DataRow>> {
    const { size, after } = parsePage(this.#layout, options)
    if (this.#limit !== undefined) throw badQuery(this.#layout, null, 'page() takes size instead of limit')
    for (const { ordered } of this.#order) {
      // The cursor goes to clients and shows where in the order they are.
      if (ordered?.settings.hidden !== true) continue
      throw badQuery(this.#layout, null, `a page cannot be ordered by hidden column ${ordered.name}`, { names: [ordered.name] })
    }
    const cursors = new Cursors(this.#layout, this.#order)
    const budget = budgetOf(Math.min(bytes, this.#layout.attachment.searchLimit))
    const found = await this.#behind(after === null ? null : cursors.decode(after), size + 1, budget)
    const rows: DataRow[] = []
    for (const values of found) {
      if (rows.length === size) break
      const row = this.#makeRow(values)
      if (takes?.(row) === false && rows.length > 0) break
      rows.push(row)
    }
    const last = found[rows.length - 1]
    const more = last !== undefined && (rows.length < found.length || budget.isExceeded)
    return { rows, cursor: more ? cursors.encode(placeBehind(this.#order, last)) : null }
  }

  async update(changes: unknown): Promise<number> {
    try {
      const { columns, values } = encodeChanges(this.#layout, changes)
      if (columns.length === 0) return this.count()
      const { statements, transactions } = this.#layout.attachment
      const statement = statements.update(columns, this.#shape(this.#limit))
      const rows = await written(this.#layout, () => present(columns, [values]), transactions.connection().write(statement, [...values, ...this.#values(this.#limit)]))
      return rows.length
    } catch (error) {
      throw this.#layout.refused(error)
    }
  }

  async delete(): Promise<number> {
    try {
      const { statements, transactions } = this.#layout.attachment
      const rows = await deleted(this.#layout, transactions.connection().write(statements.delete(this.#shape(this.#limit)), this.#values(this.#limit)))
      return rows.length
    } catch (error) {
      throw this.#layout.refused(error)
    }
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<DataRow, void, undefined> {
    let remaining = this.#limit ?? Infinity
    let place: Place | null = null
    while (remaining > 0) {
      const size = Math.min(batchSize, remaining)
      const budget = budgetOf(Math.min(batchBytes, this.#layout.attachment.searchLimit))
      const rows: SqlRow[] = await this.#behind(place, size, budget)
      for (const row of rows) yield this.#makeRow(row)
      const last = rows.at(-1)
      if (last === undefined || (rows.length < size && !budget.isExceeded)) return
      place = placeBehind(this.#order, last)
      remaining -= rows.length
    }
  }

  /** The first rows behind a place in the order, or from its beginning. */
  async #behind(place: Place | null, size: number, budget: Budget): Promise<SqlRow[]> {
    if (place === null) return this.#list(this.#filter, this.#order, size, budget)
    const rows: SqlRow[] = []
    for (const part of partsBehind(this.#order, place)) {
      const conditions = {
        conditions: [...this.#filter.conditions, ...part.conditions],
        values: [...this.#filter.values, ...part.values],
      }
      rows.push(...(await this.#list(conditions, part.order, size - rows.length, budget)))
      if (rows.length >= size || budget.isExceeded) break
    }
    return rows
  }

  /** What `all()` gives, where the rows must not take more than so many bytes in memory together. */
  static allWithin(search: Search, bytes: number): Promise<DataRow[]> {
    return search.#allWithin(bytes)
  }

  async #allWithin(bytes: number): Promise<DataRow[]> {
    const read = this.#readAll(bytes)
    const rows = read instanceof Promise ? await read : read
    return rows.map(this.#makeRow)
  }

  /** @throws TableError when the rows take more than a search may hold */
  #readAll(bytes: number): SqlRow[] | Promise<SqlRow[]> {
    const budget = budgetOf(Math.min(bytes, this.#layout.attachment.searchLimit))
    const read = this.#list(this.#filter, this.#order, this.#limit, budget)
    if (read instanceof Promise) return read.then((rows) => this.#assertWhole(rows, budget))
    return this.#assertWhole(read, budget)
  }

  #assertWhole(rows: SqlRow[], budget: Budget): SqlRow[] {
    if (!budget.isExceeded) return rows
    const what = `the rows found take more than ${budget.size} bytes together`
    const remedy = 'read them one after the other with for await, in pages with page({ size, after }), or fewer with limit'
    throw badQuery(this.#layout, null, `${what}; ${remedy}`)
  }

  /**
   * Any number of rows, within the budget. They are read in the shortest of the forms that did the last time, and whole,
   * one by one, where there are too many for those or one of them is too long.
   */
  #list(conditions: Conditions, order: readonly OrderStep[], limit: number | undefined, budget: Budget): SqlRow[] | Promise<SqlRow[]> {
    const { statements } = this.#layout.attachment
    const list = statements.list({ conditions: conditions.conditions, order, limited: limit !== undefined })
    return this.#listIn(list.form, list, { values: conditions.values, limit, budget })
  }

  #listIn(form: number, list: ListStatements, asked: AskedList): SqlRow[] | Promise<SqlRow[]> {
    const { values, limit } = asked
    const most = shortForms[form]?.rows
    const statement = list.short[form]
    if (most === undefined || statement === undefined) return this.#listWhole(list, asked)
    if (limit !== undefined && limit > most) return this.#listIn(form + 1, list, asked)
    const read = this.#layout.attachment.transactions.connection().read(statement, limit === undefined ? values : [...values, limit])
    if (read instanceof Promise) return read.then((rows) => this.#judgeShort(rows, form, list, asked))
    return this.#judgeShort(read, form, list, asked)
  }

  #judgeShort(rows: SqlRow[], form: number, list: ListStatements, asked: AskedList): SqlRow[] | Promise<SqlRow[]> {
    const mayBeMore = asked.limit === undefined && rows.length === shortForms[form]?.rows
    if (mayBeMore || !this.#layout.attachment.statements.areWhole(rows)) return this.#listIn(form + 1, list, asked)
    list.form = formFor(rows.length, 0)
    asked.budget.isBegun ||= rows.length > 0
    return rows
  }

  #listWhole(list: ListStatements, { values, limit, budget }: AskedList): SqlRow[] | Promise<SqlRow[]> {
    const before = budget.left
    const remember = (rows: SqlRow[]): SqlRow[] => {
      list.form = formFor(rows.length, (before - budget.left) / rows.length)
      return rows
    }
    const read = this.#layout.attachment.transactions.connection().read(list.whole, limit === undefined ? values : [...values, limit], budget)
    return read instanceof Promise ? read.then(remember) : remember(read)
  }

  #atMost(rows: number): SqlRow[] | Promise<SqlRow[]> {
    return this.#select(this.#filter, this.#order, Math.min(rows, this.#limit ?? rows))
  }

  #select({ conditions, values }: Conditions, order: readonly OrderStep[], limit: number | undefined): SqlRow[] | Promise<SqlRow[]> {
    const { statements, transactions } = this.#layout.attachment
    const statement = statements.select({ conditions, order, limited: limit !== undefined })
    return transactions.connection().read(statement, limit === undefined ? values : [...values, limit])
  }

  #shape(limit: number | undefined): SearchShape {
    return { conditions: this.#filter.conditions, order: this.#order, limited: limit !== undefined }
  }

  #values(limit: number | undefined): readonly SqlValue[] {
    return limit === undefined ? this.#filter.values : [...this.#filter.values, limit]
  }
}

/** What is asked of a list: the values of its conditions, how many rows, and how many bytes of them. */
interface AskedList {
  readonly values: readonly SqlValue[]
  readonly limit: number | undefined
  readonly budget: Budget
}

/** The form that will probably do the next time, after so many rows of so many bytes on average. */
function formFor(rows: number, bytes: number): number {
  const fits = shortForms.findIndex((form) => rows < form.rows && bytes * 2 < form.bytes)
  return fits === -1 ? shortForms.length : fits
}

/** A budget that knows what it was. */
interface Budget extends ReadBudget {
  readonly size: number
}

function budgetOf(bytes: number): Budget {
  return { size: bytes, left: bytes, isBegun: false, isExceeded: false }
}

function parseOptions(layout: TableLayout, options: unknown): { orderBy?: unknown; limit?: number } {
  if (options === undefined) return {}
  assertMembers(layout, 'search options', options, ['orderBy', 'limit'])
  const { orderBy, limit } = options
  if (limit === undefined) return { orderBy }
  if (typeof limit !== 'number' || !Number.isSafeInteger(limit) || limit < 0) {
    throw badQuery(layout, null, `limit has to be a whole number from 0, got ${describeValue(limit)}`, { values: [limit] })
  }
  return { orderBy, limit }
}

function parsePage(layout: TableLayout, options: unknown): { size: number; after: unknown } {
  assertMembers(layout, 'page options', options, ['size', 'after'])
  const { size, after = null } = options
  if (typeof size !== 'number' || !Number.isInteger(size) || size < 1 || size > largestPage) {
    const expected = `the size of a page has to be a whole number from 1 to ${largestPage}`
    throw badQuery(layout, null, `${expected}, got ${describeValue(size)}`, { values: [size] })
  }
  return { size, after }
}

/** An option with a misspelt name must not be taken for one that was left out. */
function assertMembers(
  layout: TableLayout,
  what: string,
  options: unknown,
  known: readonly string[],
): asserts options is Readonly<Record<string, unknown>> {
  if (!isPlainObject(options)) {
    throw badQuery(layout, null, `expected a plain object as ${what}, got ${describeValue(options)}`, { values: [options] })
  }
  const unknown = Object.keys(options).find((name) => !known.includes(name))
  if (unknown !== undefined) {
    const asked = JSON.stringify(unknown.slice(0, 80))
    throw badQuery(layout, null, `${what} have no ${asked}; there are ${known.join(' and ')}`, { names: [unknown] })
  }
}
