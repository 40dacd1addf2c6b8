import { Refusal } from '../columns/codec.js'
import { createCodec } from '../rows/codecs.js'
import { Column, type ColumnSettings } from '../columns/columns.js'
import { describeValue, isPlainObject } from '../errors/describe-value.js'
import { DataRow } from '../rows/row.js'
import { TableDeclaration, type DeclaredIndex } from '../columns/table-declaration.js'

const namePattern = /^[A-Za-z_][A-Za-z0-9_]{0,62}$/

/** `then` would make a promise of whatever has it. */
const objectMembers = new Set(['then', ...Object.getOwnPropertyNames(Object.prototype)])
const rowMembers = new Set(['id', ...objectMembers, ...membersOf(DataRow)])

function membersOf(constructor: { readonly prototype: object }): string[] {
  const names: string[] = []
  for (let at: object | null = constructor.prototype; at !== null; at = Object.getPrototypeOf(at)) names.push(...Object.getOwnPropertyNames(at))
  return names
}

/** All that is wrong with the declarations, a sentence each. */
export function findMistakes(declarations: unknown): string[] {
  if (!isPlainObject(declarations)) return [`defineTables takes a plain object with the tables by name, got ${describeValue(declarations)}`]
  const names = Object.keys(declarations)
  const mistakes = differInCaseOnly(names).map((pair) => `tables ${pair} differ in the case of letters only; databases take them for the same`)
  for (const [name, declaration] of Object.entries(declarations)) {
    mistakes.push(...nameMistakes(`table ${name}`, name, objectMembers))
    if (declaration instanceof TableDeclaration) mistakes.push(...tableMistakes(name, declaration, names))
    else mistakes.push(`table ${name} has to be declared with table({ … }), got ${describeValue(declaration)}`)
  }
  return mistakes
}

function nameMistakes(what: string, name: string, taken: ReadonlySet<string>): string[] {
  if (!namePattern.test(name)) return [`${what}: a name consists of at most 63 letters, digits and _, and does not begin with a digit`]
  if (/^(rowhouse|sqlite)_/i.test(name)) return [`${what}: names that begin with rowhouse_ or sqlite_ are kept for the database's own tables`]
  return taken.has(name) ? [`${what}: the name is taken by a member that every ${taken === rowMembers ? 'row' : 'object'} has`] : []
}

function tableMistakes(table: string, declaration: TableDeclaration, tables: readonly string[]): string[] {
  if (!isPlainObject(declaration.columns)) return [`table ${table}: table() takes a plain object with the columns by name, got ${describeValue(declaration.columns)}`]
  const names = Object.keys(declaration.columns)
  const mistakes = differInCaseOnly(names).map((pair) => `table ${table}: columns ${pair} differ in the case of letters only; databases take them for the same`)
  if (names.length === 0) mistakes.push(`table ${table} has no columns`)
  if ((table === 'users') !== (declaration.users !== null)) mistakes.push('the table users, and only that one, is declared with usersTable({ … })')
  for (const name of declaration.users?.redeclared ?? []) mistakes.push(`column ${table}.${name} is built in and cannot be declared again`)
  for (const [name, column] of Object.entries<unknown>(declaration.columns)) {
    const what = `column ${table}.${name}`
    mistakes.push(...nameMistakes(what, name, rowMembers))
    if (name.toLowerCase() === 'id' && name !== 'id') mistakes.push(`${what}: the name differs from id in the case of letters only`)
    if (column instanceof Column) mistakes.push(...columnMistakes(what, column.settings, tables))
    else mistakes.push(`${what} has to be declared with text(), number() or another column type, got ${describeValue(column)}`)
  }
  for (const index of declaration.indexes) mistakes.push(...indexMistakes(table, index, declaration.columns))
  return mistakes
}

function columnMistakes(what: string, settings: ColumnSettings, tables: readonly string[]): string[] {
  const { kind, target, onDelete, required, unique, indexed, validator } = settings
  const mistakes: string[] = []
  if ((kind === 'link' || kind === 'links') && target !== 'users' && !tables.includes(String(target))) {
    mistakes.push(`${what} links to table ${String(target)}, which is not declared`)
  }
  if (kind === 'link' && onDelete !== 'setNull' && onDelete !== 'cascade' && onDelete !== 'restrict') {
    mistakes.push(`${what}: onDelete is one of 'setNull', 'cascade' and 'restrict'`)
  }
  if (kind === 'link' && onDelete === 'setNull' && required === true) {
    mistakes.push(`${what} is required and would become null when the linked row is deleted; declare { onDelete: 'cascade' } or { onDelete: 'restrict' }`)
  }
  if ((kind === 'json' || kind === 'media' || kind === 'links') && (unique === true || indexed === true)) {
    mistakes.push(`${what}: a ${kind} column has no index`)
  }
  if (validator !== undefined && typeof validator['~standard']?.validate !== 'function') {
    mistakes.push(`${what}: json() takes a Standard Schema validator, such as one of Zod or Valibot`)
  }
  return [...mistakes, ...defaultMistakes(what, settings)]
}

function defaultMistakes(what: string, settings: ColumnSettings): string[] {
  const { kind, default: given } = settings
  if (given === undefined || 'make' in given) return []
  const { value } = given
  if (kind === 'link') return [`${what}: a default row is given by a function, because there are no rows yet when tables are declared`]
  if (kind === 'links') return Array.isArray(value) && value.length === 0 ? [] : [`${what}: the default is an empty list or a function`]
  try {
    createCodec(settings).encode(value)
    return []
  } catch (error) {
    if (!(error instanceof Refusal)) throw error
    return [`${what}: the default has to be ${error.expected}, got ${error.got ?? describeValue(value)}`]
  }
}

function indexMistakes(table: string, { columns, unique }: DeclaredIndex, declared: Readonly<Record<string, unknown>>): string[] {
  const what = `table ${table}: ${unique ? 'unique' : 'index'}(${columns.join(', ')})`
  if (columns.length === 0) return [`${what} names no column`]
  if (new Set(columns).size < columns.length) return [`${what} names a column twice`]
  return columns.flatMap((name) => {
    const column = Object.hasOwn(declared, name) ? declared[name] : undefined
    if (!(column instanceof Column)) return [`${what}: there is no column ${name}`]
    const { kind } = column.settings
    return kind === 'json' || kind === 'media' || kind === 'links' ? [`${what}: ${kind} column ${name} has no index`] : []
  })
}

function differInCaseOnly(names: readonly string[]): string[] {
  const seen = new Map<string, string>()
  return names.flatMap((name) => {
    const other = seen.get(name.toLowerCase())
    seen.set(name.toLowerCase(), name)
    return other === undefined ? [] : [`${other} and ${name}`]
  })
}
