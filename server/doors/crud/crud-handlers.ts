import { describeValue, isPlainObject } from '../../../db/errors/describe-value.js'
import { TableError } from '../../../db/errors/errors.js'
import { RowIdentity } from '../../../db/rows/row-identity.js'
import type { DataRow } from '../../../db/rows/row.js'
import type { Search } from '../../../db/rows/search.js'
import { refusal } from '../../http/http-error.js'
import { Problems } from '../../http/problems.js'
import { encodeJson } from '../../http/reply/encode-json.js'
import { HttpResponse, JsonText } from '../../http/reply/http-response.js'
import type { RowhouseRequest } from '../../http/request/request.js'
import { transaction } from '../../exports/tables.js'
import { readValues, requireAll, type Values } from './body-values.js'
import type { CrudPlan } from './crud-plan.js'
import { checkConditions, represent } from './entity-tag.js'
import { belongsTo, checkLinks, linksIn, newLinks, type WrittenLink } from './link-checks.js'
import { readListQuery } from './list-query.js'
import { PageText } from './page-text.js'

/** How many bytes of rows are read at a time, whatever a page may have: in one piece a long page would hold up everybody else. */
const pieceBytes = 128 * 1024

/** The values that a request wants to write, and the links among them. */
interface Change {
  readonly values: Values
  readonly links: readonly WrittenLink[]
}

/** Answers the requests for the rows of one table. Where rows have owners, there is no way past {@link CrudHandlers.#ownRow} and the filter of a list. */
export class CrudHandlers {
  readonly #plan: CrudPlan
  /** The path of a list, as a URL has it. */
  readonly #location: string

  /** The longest answer, in bytes. */
  readonly #responseLimit: number

  constructor(plan: CrudPlan, location: string, responseLimit: number) {
    this.#plan = plan
    this.#location = location
    this.#responseLimit = responseLimit
  }

  async list(request: RowhouseRequest): Promise<unknown> {
    const { table, asked, sent, owner } = this.#plan
    const { filter, orderBy, size, after } = readListQuery(asked, request.queryParams)
    const search = table.search(owner === null ? filter : { ...filter, [owner]: this.#owner(request) }, { orderBy })
    try {
      // In any other order each piece would have all rows sorted anew, and a row that changes its place meanwhile would come twice.
      const isInPieces = orderBy === undefined
      const { rows, cursor } = await search.page({ size, after }, undefined, isInPieces ? Math.min(pieceBytes, this.#responseLimit) : this.#responseLimit)
      if (isInPieces && cursor !== null && rows.length < size) return new HttpResponse(200, this.#piecesOf(search, { size, after }), { 'content-type': 'application/json' })
      const text = encodeJson({ rows: rows.map((row) => row.toJSON(sent)), cursor })
      // A character takes three bytes at most for each of its units; where that fits, which is nearly always, they need not be counted.
      const isShort = text.length * 3 <= this.#responseLimit || Buffer.byteLength(text) <= this.#responseLimit
      return new JsonText(isShort ? text : await this.#shorterPage(search, { size, after }))
    } catch (error) {
      if (!(error instanceof TableError) || error.code !== 'bad-cursor') throw error
      const message = 'parameter cursor: expected the cursor of the page before, from a list in the same order'
      throw refusal('bad-cursor', message, { details: { problems: [{ code: 'bad-cursor', path: 'cursor', message }] } })
    }
  }

  /** As many rows as can be sent, encoded one by one. */
  async #shorterPage(search: Search, asked: object): Promise<string> {
    const page = new PageText(this.#responseLimit)
    const { cursor } = await search.page(asked, (row) => page.add(encodeJson(row.toJSON(this.#plan.sent))), this.#responseLimit)
    return page.take() + page.end(cursor)
  }

  /** A long page: as many rows as an answer may have, read and encoded a few at a time, as fast as the client takes them. */
  async *#piecesOf(search: Search, { size, after }: { readonly size: number; readonly after: string | null }): AsyncGenerator<string> {
    const page = new PageText(this.#responseLimit)
    let [cursor, left] = [after, size]
    do {
      const before = page.count
      const found = await search.page({ size: left, after: cursor }, (row) => page.add(encodeJson(row.toJSON(this.#plan.sent))), Math.min(pieceBytes, this.#responseLimit))
      left -= page.count - before
      // A page of a search has one row at least, unless there is none left; of that which there was no room for, the next one is told.
      if (page.count > before || found.rows.length === 0) cursor = found.cursor
      yield page.take()
    } while (cursor !== null && left > 0 && !page.isFull)
    yield page.end(cursor)
  }

  async create(request: RowhouseRequest): Promise<HttpResponse> {
    const { table, owner, validate } = this.#plan
    const change = await this.#readChange(request, null)
    const add = async (): Promise<DataRow> => {
      const values = await this.#accepted(change, null, request)
      return table.addRow(owner === null ? values : { ...values, [owner]: this.#owner(request) })
    }
    // One statement is a transaction of its own.
    const row = change.links.length === 0 && validate === null ? await add() : await transaction(add)
    return this.#answer(row, 201, { location: `${this.#location}/${encodeURIComponent(row.id)}` })
  }

  async read(id: unknown, request: RowhouseRequest): Promise<HttpResponse> {
    noQuery(request).throwIfAny()
    const row = await this.#ownRow(id, request)
    if (this.#conditions(request, row) === 'go on') return this.#answer(row, 200)
    return new HttpResponse(304, '', { etag: this.#represent(row).tag })
  }

  async update(id: unknown, request: RowhouseRequest): Promise<HttpResponse> {
    const change = await this.#readChange(request, id ?? '')
    const row = await transaction(async () => {
      const present = await this.#ownRow(id, request)
      this.#conditions(request, present)
      return present.update(await this.#accepted(change, present, request))
    })
    return this.#answer(row, 200)
  }

  async delete(id: unknown, request: RowhouseRequest): Promise<HttpResponse> {
    noQuery(request).throwIfAny()
    await transaction(async () => {
      const row = await this.#ownRow(id, request)
      this.#conditions(request, row)
      await row.delete()
    })
    return new HttpResponse(204)
  }

  /**
   * The row with this id, if the user may know of it. Whoever goes on to write calls it inside the transaction, so that the row cannot change hands in between.
   *
   * @throws HttpError 404, the same for a row of somebody else, one that is gone and one that never was
   */
  async #ownRow(id: unknown, request: RowhouseRequest): Promise<DataRow> {
    const { table, owner } = this.#plan
    const row = await table.getById(id)
    if (row !== null && (owner === null || belongsTo(row, owner, this.#owner(request)))) return row
    throw refusal('not-found', 'Not Found')
  }

  /** The signed-in user, whose rows these are. @throws Error when there is none, which the start has ruled out */
  #owner(request: RowhouseRequest): RowIdentity {
    const user = userOf(request)
    if (user === null) throw new Error('rows that belong to users were asked for without a user')
    return user
  }

  /**
   * What a request wants to write.
   *
   * @param id of the row that is to be changed; null for a new one, which needs all of its columns
   * @throws HttpError 400 that tells of everything that is wrong with it
   */
  async #readChange(request: RowhouseRequest, id: unknown): Promise<Change> {
    const { writable } = this.#plan
    const problems = noQuery(request)
    const values = readValues(request, this.#plan, problems)
    if (id === null) requireAll(writable, request, problems)
    const links = linksIn(values, writable)
    // What comes of the links counts inside the transaction; here it only belongs to the rest of what is wrong.
    if (!problems.none) {
      const row = id === null ? null : await this.#ownRow(id, request).catch(() => null)
      await checkLinks(newLinks(links, row), userOf(request), problems)
    }
    problems.throwIfAny()
    return { values, links }
  }

  /** What is to be written, after links and the author's own function have been looked at, inside the transaction that writes it. */
  async #accepted({ values: given, links }: Change, row: DataRow | null, request: RowhouseRequest): Promise<Values> {
    const { validate, owner, table } = this.#plan
    const problems = new Problems()
    await checkLinks(newLinks(links, row), userOf(request), problems)
    problems.throwIfAny()
    if (validate === null) return given
    // A copy, because the transaction may run again.
    const copy = { ...given }
    const values = (await validate(copy, { row, user: request.user, request })) ?? copy
    if (!isPlainObject(values)) throw new TypeError(`validate of the endpoints of ${table.name} has to return the values to write, or nothing; it returned ${describeValue(values)}`)
    if (owner !== null && Object.hasOwn(values, owner)) throw new TypeError(`validate of the endpoints of ${table.name} must not set ${owner}: a row belongs to the user who adds it`)
    return values
  }

  #conditions(request: RowhouseRequest, row: DataRow): ReturnType<typeof checkConditions> {
    return checkConditions(request, () => this.#represent(row))
  }

  #represent(row: DataRow): ReturnType<typeof represent> {
    return represent(row.toJSON(this.#plan.sent))
  }

  #answer(row: DataRow, status: number, headers: Readonly<Record<string, string>> = {}): HttpResponse {
    const { json, tag } = this.#represent(row)
    return new HttpResponse(status, json, { 'content-type': 'application/json', etag: tag, ...headers })
  }
}

function userOf({ user }: RowhouseRequest): RowIdentity | null {
  // Rows are of this class; the type of `user` says what they are to an app.
  return user instanceof RowIdentity ? user : null
}

/** Only a list has parameters. */
function noQuery({ queryParams }: RowhouseRequest): Problems {
  const problems = new Problems()
  for (const name of Object.keys(queryParams)) problems.addUnknown('parameter', name, [])
  return problems
}
