import { isPlainObject } from '../../../db/errors/describe-value.js'
import { describeSent, type ReadParameter, type RawParameter } from '../../endpoint/parameters.js'
import { HttpError } from '../../http/http-error.js'
import type { Problems } from '../../http/problems.js'
import { isJsonType } from '../../http/body/json.js'
import type { RowhouseRequest } from '../../http/request/request.js'
import type { OpenedColumn } from './opened-column.js'

/** The values of columns, by name. */
export type Values = Record<string, unknown>

const formTypes: ReadonlySet<string> = new Set(['application/x-www-form-urlencoded', 'multipart/form-data'])

/** What may stand in a body. */
export interface BodyColumns {
  readonly writable: ReadonlyMap<string, OpenedColumn>
  /** Those that are sent, of which some are not written. */
  readonly sent: readonly string[]
}

/**
 * Reads the columns that a request sends, as a JSON object or a form, and converts them. Anything else in the body is a problem, never passed over.
 *
 * @throws HttpError 400 when the body is JSON but no object, 415 when it is neither JSON nor a form
 */
export function readValues(request: RowhouseRequest, { writable, sent }: BodyColumns, problems: Problems): Values {
  const { members, from } = readMembers(request)
  const values: Values = {}
  const addUnwritable = (name: string): void => {
    if (name === 'id' || sent.includes(name)) problems.add(`column ${name} cannot be written`)
    else problems.addUnknown('column', name, [...writable.keys()])
  }
  for (const name of Object.keys(members)) {
    const column = writable.get(name)
    if (column === undefined) {
      addUnwritable(name)
      continue
    }
    // Members of forms are texts and lists of texts.
    const read = readMember(column, { from, value: members[name] } as RawParameter)
    if ('problem' in read) problems.add(`column ${name}: ${read.problem}`)
    else values[name] = read.value
  }
  for (const name of Object.keys(request.files)) {
    if (writable.has(name)) problems.add(`column ${name}: expected a field of the form, got a file`)
    else addUnwritable(name)
  }
  return values
}

/** Adds a problem for each column without which no row can be added. */
export function requireAll(writable: ReadonlyMap<string, OpenedColumn>, request: RowhouseRequest, problems: Problems): void {
  const { members } = readMembers(request)
  for (const { name, optional } of writable.values()) if (!optional && !Object.hasOwn(members, name)) problems.add(`missing column: ${name}`)
}

function readMember(column: OpenedColumn, raw: RawParameter): ReadParameter {
  const read: ReadParameter = raw.value === null ? { value: null } : column.read(raw)
  return 'value' in read && read.value === null && column.required ? { problem: 'it is required, got null' } : read
}

function readMembers(request: RowhouseRequest): { readonly from: RawParameter['from']; readonly members: Readonly<Record<string, unknown>> } {
  if (isJsonType(request.mimetype)) {
    const { bodyJson } = request
    if (isPlainObject(bodyJson)) return { from: 'json', members: bodyJson }
    throw new HttpError(400, `expected a JSON object as the body, got ${request.body === null ? 'none' : describeSent(bodyJson)}`)
  }
  if (request.body !== null && !formTypes.has(request.mimetype)) {
    throw new HttpError(415, `expected a body with content-type application/json, application/x-www-form-urlencoded or multipart/form-data, got ${request.mimetype === '' ? 'none' : describeSent(request.mimetype)}`)
  }
  return { from: 'text', members: request.formParams }
}
