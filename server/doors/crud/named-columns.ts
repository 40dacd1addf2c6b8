import { describeValue } from '../../../db/errors/describe-value.js'
import type { LaidOutColumn, TableLayout } from '../../../db/rows/table-layout.js'
import { suggestName } from '../../errors/nearest-name.js'

/** Reads an option that lists some of the known names, each once. */
export function readNames<Known extends string>(option: string, value: unknown, known: readonly Known[], mistakes: string[], explain = explainName): readonly Known[] {
  const names: readonly unknown[] = Array.isArray(value) ? value : []
  if (names.length === 0) mistakes.push(`the option "${option}" takes a list of names, got ${Array.isArray(value) ? 'an empty one' : describeValue(value)}`)
  if (new Set(names).size < names.length) mistakes.push(`the option "${option}" has a name twice`)
  return names.flatMap((name) => {
    const found = known.filter((each) => each === name)
    if (typeof name !== 'string') mistakes.push(`the option "${option}" takes names, got ${describeValue(name)}`)
    else if (found.length === 0) mistakes.push(`the option "${option}" has "${name}", ${explain(name, known)}`)
    return found
  })
}

function explainName(name: string, known: readonly string[]): string {
  return `which is nothing that can be opened; ${suggestName(name, known)}`
}

/** Reads an option that lists columns, of those that may be seen. */
export function readColumns(option: string, value: unknown, layout: TableLayout, mistakes: string[]): readonly LaidOutColumn[] {
  const visible = layout.visibleColumns
  const names = readNames(option, value, visible.map(({ name }) => name), mistakes, (name, known) => {
    if (name === 'id') return 'which is always sent and never written; leave it out'
    if (layout.columnsByName.has(name)) return 'a hidden column, which is never sent'
    return `which ${layout.name} does not have; ${suggestName(name, known)}`
  })
  return names.flatMap((name) => visible.filter((column) => column.name === name))
}

/** Reads an option that names the column which says whose row it is; null when it does not. */
export function checkOwner(option: string, name: unknown, { name: table, columns }: TableLayout, mistakes: string[]): string | null {
  const owners = columns.filter(({ settings }) => settings.kind === 'link' && settings.target === 'users').map((column) => column.name)
  if (typeof name === 'string' && owners.includes(name)) return name
  const remedy = owners.length === 0 ? `${table} has none: declare owner: link('users')` : suggestName(String(name), owners)
  mistakes.push(`"${option}" takes the name of a link('users') column of ${table}, got ${describeOwner(name, table, columns)}; ${remedy}`)
  return null
}

function describeOwner(name: unknown, table: string, columns: readonly LaidOutColumn[]): string {
  if (typeof name !== 'string') return describeValue(name)
  const settings = columns.find((column) => column.name === name)?.settings
  if (settings === undefined) return `"${name}", which ${table} does not have`
  return `the column ${name}, which is a ${settings.kind}${settings.target === undefined ? '' : ` to ${settings.target}`}`
}
