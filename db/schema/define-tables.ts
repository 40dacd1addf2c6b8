import { createCodec } from '../rows/codecs.js'
import type { Columns } from '../columns/columns.js'
import { findMistakes } from './declaration-mistakes.js'
import { SchemaError } from '../errors/errors.js'
import type { Tables } from '../rows/row-types.js'
import type { TableDeclaration } from '../columns/table-declaration.js'
import { TableLayout } from '../rows/table-layout.js'
import { DataTable } from '../rows/table.js'
import { usersTable, type UserColumns } from './users-table.js'

/** The declarations of tables, by name, as `defineTables` takes them. */
export type Declarations = { readonly [table: string]: TableDeclaration }

/** The schema that follows from declarations. The table `users` is always there. */
export type SchemaOf<D extends Declarations> = D extends { readonly users: TableDeclaration }
  ? { readonly [Name in keyof D]: ColumnsOf<D[Name]> }
  : { readonly [Name in keyof D]: ColumnsOf<D[Name]> } & { readonly users: UserColumns }

type ColumnsOf<T> = T extends TableDeclaration<infer C extends Columns> ? C : never

/**
 * Declares the tables of an app. A pure function: nothing is created before a database is opened with what it returns.
 *
 * @throws SchemaError that tells all mistakes of the declaration at once
 */
export function defineTables<D extends Declarations>(declarations: D): Tables<SchemaOf<D>> {
  const mistakes = findMistakes(declarations)
  if (mistakes.length > 0) throw new SchemaError(['the declaration of the tables has mistakes:', ...mistakes].join('\n  - '))
  // First, so that its number is the same in every app.
  const { users = usersTable(), ...others }: Declarations = declarations
  // The tables check at run time what their types promise at compile time; only here the one meets the other.
  return layOut({ users, ...others }) as unknown as Tables<SchemaOf<D>>
}

function layOut(declarations: Declarations): Readonly<Record<string, DataTable>> {
  const layouts = new Map(Object.entries(declarations).map(([name, { indexes }]) => [name, new TableLayout(name, indexes)]))
  const tables = Array.from(layouts, ([name, layout]) => {
    const columns = Object.entries(declarations[name]?.columns ?? {})
    // The lengths follow the id and all values.
    let nextLength = columns.length + 1
    layout.setColumns(
      columns.map(([columnName, { settings }], index) => ({
        name: columnName,
        position: index + 1,
        ...(settings.kind === 'media' && { lengthPosition: nextLength++ }),
        settings,
        codec: createCodec(settings, settings.target === undefined ? undefined : layouts.get(settings.target)),
      })),
    )
    return [name, new DataTable(layout)] as const
  })
  for (const layout of layouts.values()) {
    for (const column of layout.columns) {
      const { kind, target } = column.settings
      if (kind === 'link' && target !== undefined) layouts.get(target)?.referrers.push({ layout, column })
    }
  }
  return Object.freeze(Object.fromEntries(tables))
}
