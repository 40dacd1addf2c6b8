import { describeGiven, isPlainObject } from '../../../db/errors/describe-value.js'
import type { ReadParameter, RawParameter } from '../../endpoint/parameters.js'
import { refusal } from '../../http/http-error.js'
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
 * @throws HttpError 400 when the body is JSON but no object, or its type cannot be read, 415 when it is neither JSON nor a form
 */
export function readValues(request: RowhouseRequest, { writable, sent }: BodyColumns, problems: Problems): Values {
  const { members, from } = readMembers(request)
  const values: Values = {}
  const addUnwritable = (name: string): void => {
    if (name !== 'id' && !sent.includes(name)) problems.addUnknown('column', name, [...writable.keys()])
    else problems.add({ code: 'read-only', path: name, message: `column ${name} cannot be written` })
  }
  for (const name of Object.keys(members)) {
    const column = writable.get(name)
    if (column === undefined) {
      addUnwritable(name)
      continue
    }
    // Members of forms are texts and lists of texts.
    const read = readMember(column, { from, value: members[name] } as RawParameter)
    if ('problem' in read) problems.add({ code: read.code, path: name, message: `column ${name}: ${read.problem}` })
    else values[name] = read.value
  }
  for (const name of Object.keys(request.files)) {
    const message = `column ${name}: expected a field of the form, got a file`
    if (writable.has(name)) problems.add({ code: 'wrong-type', path: name, message })
    else addUnwritable(name)
  }
  return values
}

/** Adds a problem for each column without which no row can be added. */
export function requireAll(writable: ReadonlyMap<string, OpenedColumn>, request: RowhouseRequest, problems: Problems): void {
  const { members } = readMembers(request)
  for (const { name, optional } of writable.values()) {
    if (optional || Object.hasOwn(members, name)) continue
    problems.add({ code: 'missing-value', path: name, message: `missing column: ${name}` })
  }
}

function readMember(column: OpenedColumn, raw: RawParameter): ReadParameter {
  const read: ReadParameter = raw.value === null ? { value: null } : column.read(raw)
  const isMissing = 'value' in read && read.value === null && column.required
  return isMissing ? { problem: 'it is required, got null', code: 'missing-value' } : read
}

function readMembers(request: RowhouseRequest): { readonly from: RawParameter['from']; readonly members: Readonly<Record<string, unknown>> } {
  if (isJsonType(request.mimetype)) {
    const { bodyJson } = request
    if (isPlainObject(bodyJson)) return { from: 'json', members: bodyJson }
    throw refusal('not-an-object', `expected a JSON object as the body, got ${describeGiven(bodyJson, 'caller')}`)
  }
  // Whose type cannot be read is refused here: it is no type that could be unsupported.
  const { formParams } = request
  if (request.body !== null && !formTypes.has(request.mimetype)) {
    const expected = `expected a body with content-type application/json, ${[...formTypes].join(' or ')}`
    const got = request.mimetype === '' ? 'none' : describeGiven(request.mimetype, 'caller')
    throw refusal('unsupported-media-type', `${expected}, got ${got}`)
  }
  return { from: 'text', members: formParams }
}
