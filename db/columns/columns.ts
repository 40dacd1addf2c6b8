import type { JsonValue } from '../values/json-value.js'
import type { Media } from '../values/media.js'
import type { StandardSchema } from '../values/standard-schema.js'

/** The type of a column as an app declares it. */
export type ColumnKind = 'text' | 'number' | 'integer' | 'boolean' | 'date' | 'datetime' | 'json' | 'media' | 'link' | 'links'

/** What becomes of a row when the row that it links to is deleted. */
type OnDelete = 'setNull' | 'cascade' | 'restrict'

/**
 * What the types need to know of a column: the kinds that have one value type by their names, the others by what is
 * particular to them.
 */
export type ColumnType = keyof PlainValues | Json<unknown, never> | LinkTo<string> | LinksTo<string>

interface PlainValues {
  readonly text: string
  readonly number: number
  readonly integer: number
  readonly boolean: boolean
  readonly date: string
  readonly datetime: Date
  readonly media: Media
}

/** JSON that a row gives as `Output` and takes as `Input`. Exists in types only. */
export interface Json<Output, Input = Output> {
  readonly [jsonValues]: (input: Input) => Output
}

/** Stands for a row of the table `Name` until `RowOf` knows the other tables. Exists in types only. */
export interface LinkTo<Name extends string> {
  readonly [linkTarget]: Name
}

/** Stands for a list of rows of the table `Name`, as {@link LinkTo} does for one. */
export interface LinksTo<Name extends string> {
  readonly [linksTarget]: Name
}

/** What has been said of a column beside its type. Each column is either nullable or required. */
export type ColumnRule = 'nullable' | 'required' | 'defaulted' | 'hidden' | 'derived' | 'guarded'

/** Any row of, or reference to a row of, the table `Name`: what may be written into a `link` and compared with one. */
export interface RowLink<Name extends string = string> {
  readonly [tableName]: Name
  getId(): string
}

declare const jsonValues: unique symbol
declare const linkTarget: unique symbol
declare const linksTarget: unique symbol
/** The property that names the table of a row or reference. Exists in types only. */
export declare const tableName: unique symbol
declare const columnType: unique symbol
declare const columnRules: unique symbol

/** What is written when a row is added without a value: always the same one, or a new one each time. */
type ColumnDefault = { readonly value: unknown } | { readonly make: () => unknown }

/** A value that is always computed from another column of the row and cannot be written. */
interface Derivation {
  readonly from: string
  /** Null when nothing can be derived from this value, which is then refused with `expected`. */
  readonly compute: (value: string) => string | null
  readonly expected: string
}

/** All that an app has said of a column. */
export interface ColumnSettings {
  readonly kind: ColumnKind
  readonly required?: boolean
  readonly unique?: boolean
  readonly indexed?: boolean
  readonly hidden?: boolean
  readonly default?: ColumnDefault
  /** Of `link` and `links`: the name of the table linked to. */
  readonly target?: string
  /** Of `link`. */
  readonly onDelete?: OnDelete
  /** Of `json`. */
  readonly validator?: StandardSchema
  readonly derived?: Derivation
  /** Written by one service of the platform alone: by whom and what to do instead, for whoever tries. */
  readonly guarded?: string
  /** Counts how often a boolean column of the row has become false, whoever writes that: its name. */
  readonly countsEndsOf?: string
}

/** What may be written into a column of this type. */
export type InputOf<Type extends ColumnType> = Type extends keyof PlainValues
  ? PlainValues[Type]
  : Type extends Json<unknown, infer Input>
    ? Input
    : Type extends LinkTo<infer Name>
      ? RowLink<Name>
      : Type extends LinksTo<infer Name>
        ? readonly RowLink<Name>[]
        : never

/**
 * What a row gives for a column of this type, or a handler for a parameter; a link itself where it takes other tables
 * to know.
 */
export type ValueOf<Type extends ColumnType> = Type extends keyof PlainValues
  ? PlainValues[Type]
  : Type extends Json<infer Output, never>
    ? Output
    : Type

/**
 * A declared column, made by `text()`, `number()` and so on. Immutable: each method returns a new column.
 */
export class Column<Type extends ColumnType = ColumnType, Rules extends ColumnRule = ColumnRule> {
  declare readonly [columnType]: Type
  declare readonly [columnRules]: Rules

  constructor(readonly settings: ColumnSettings) {
    Object.freeze(settings)
    Object.freeze(this)
  }

  /**
   * What a row gets when it is added without this column. A function is called for each row that is added,
   * and for each row that exists when the column is added.
   */
  default(value: InputOf<Type> | (() => InputOf<Type> | null)): Column<Type, Rules | 'defaulted'> {
    // No column type takes a function as its value, so a function can only be the one that makes values.
    const given: ColumnDefault = typeof value === 'function' ? { make: value as () => unknown } : { value }
    return new Column({ ...this.settings, default: given })
  }

  /** Never null: a row cannot be added without a value unless there is a default. */
  required(): Column<Type, Exclude<Rules, 'nullable'> | 'required'> {
    return new Column({ ...this.settings, required: true })
  }

  /** No two rows have the same value; any number of them may have none. Answered from an index. */
  unique(): Column<Type, Rules> {
    return new Column({ ...this.settings, unique: true })
  }

  /** Searches by this column are answered from an index. `link` columns always have one. */
  index(): Column<Type, Rules> {
    return new Column({ ...this.settings, indexed: true })
  }

  /** Left out of `toJSON()`, so of every answer and export; readable as `row.column` all the same. */
  hidden(): Column<Type, Rules | 'hidden'> {
    return new Column({ ...this.settings, hidden: true })
  }
}

/** The columns of one table, by name. */
export type Columns = { readonly [name: string]: Column }

/** The type of a column's values. */
export type TypeOf<C extends Column> = C[typeof columnType]

/** The rules of a column. */
export type RulesOf<C extends Column> = C[typeof columnRules]

/** Text: any well-formed Unicode without NUL. Compared and ordered by code point. */
export function text(): Column<'text', 'nullable'> {
  return new Column({ kind: 'text' })
}

/** A finite number (64-bit floating point). */
export function number(): Column<'number', 'nullable'> {
  return new Column({ kind: 'number' })
}

/** A whole number between -(2^53 - 1) and 2^53 - 1. */
export function integer(): Column<'integer', 'nullable'> {
  return new Column({ kind: 'integer' })
}

/** `true` or `false`; never 0 or 1. */
export function boolean(): Column<'boolean', 'nullable'> {
  return new Column({ kind: 'boolean' })
}

/** A day of the calendar as `YYYY-MM-DD`, without time or zone. */
export function date(): Column<'date', 'nullable'> {
  return new Column({ kind: 'date' })
}

/** An instant with milliseconds, as a JavaScript `Date`. Each read gives a `Date` of its own. */
export function datetime(): Column<'datetime', 'nullable'> {
  return new Column({ kind: 'datetime' })
}

/**
 * Any JSON value. A Standard Schema validator, which must answer at once and not with a promise, checks what is written and types what is read.
 */
export function json(): Column<Json<JsonValue>, 'nullable'>
export function json<Input, Output>(validator: StandardSchema<Input, Output>): Column<Json<Output, Input>, 'nullable'>
export function json(validator?: StandardSchema): Column<Json<unknown, never>, 'nullable'> {
  return new Column(validator === undefined ? { kind: 'json' } : { kind: 'json', validator })
}

/** Bytes with a content type and a name. Kept in the row, and read whole when they are asked for: for pictures and documents, not for films. */
export function media(): Column<'media', 'nullable'> {
  return new Column({ kind: 'media' })
}

/** How a `link` behaves. */
interface LinkOptions {
  /** What becomes of this row when the linked one is deleted: the link becomes null (default), this row goes too, or the deletion is refused. */
  readonly onDelete?: OnDelete
}

/** A row of another table, or of the same one. */
export function link<const Name extends string>(
  table: Name,
  options: LinkOptions = {},
): Column<LinkTo<Name>, 'nullable'> {
  return new Column({ kind: 'link', target: table, onDelete: options.onDelete ?? 'setNull' })
}

/**
 * An ordered list of rows of another table. A linked row that is deleted stays in the list as a reference that loads as null.
 */
export function links<const Name extends string>(table: Name): Column<LinksTo<Name>, 'nullable'> {
  return new Column({ kind: 'links', target: table })
}
