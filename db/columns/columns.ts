import type { JsonValue } from '../values/json-value.js'
import type { Media } from '../values/media.js'
import type { StandardSchema } from '../values/standard-schema.js'

/** The type of a column as an app declares it. */
export type ColumnKind = 'text' | 'number' | 'integer' | 'boolean' | 'date' | 'datetime' | 'json' | 'media' | 'link' | 'links'

/** What becomes of a row when the row that it links to is deleted. */
type OnDelete = 'setNull' | 'cascade' | 'restrict'

/** What TypeScript knows of a column: the value that a row gives, the value that may be written, and whether it can be null, left out or sent. */
export interface ColumnTraits {
  readonly kind: ColumnKind
  readonly value: unknown
  readonly input: unknown
  readonly required: boolean
  readonly defaulted: boolean
  readonly hidden: boolean
}

/** Stands for a row of the table `Name` until {@link RowOf} knows the other tables. Exists in types only. */
export interface LinkTo<Name extends string> {
  readonly [linkTarget]: Name
}

/** Any row of, or reference to a row of, the table `Name`: what may be written into a `link` and compared with one. */
export interface RowLink<Name extends string = string> {
  readonly [tableName]: Name
  getId(): string
}

declare const linkTarget: unique symbol
declare const tableName: unique symbol
declare const columnTraits: unique symbol

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
}

type Having<Traits extends ColumnTraits, Trait extends 'required' | 'defaulted' | 'hidden'> = {
  readonly [Key in keyof Traits]: Key extends Trait ? true : Traits[Key]
} & ColumnTraits

/**
 * A declared column, made by `text()`, `number()` and so on. Immutable: each method returns a new column.
 */
export class Column<Traits extends ColumnTraits = ColumnTraits> {
  declare readonly [columnTraits]: Traits

  constructor(readonly settings: ColumnSettings) {
    Object.freeze(settings)
    Object.freeze(this)
  }

  /**
   * What a row gets when it is added without this column. A function is called for each row that is added,
   * and for each row that exists when the column is added.
   */
  default(value: Traits['input'] | (() => Traits['input'] | null)): Column<Having<Traits, 'defaulted'>> {
    // No column type takes a function as its value, so a function can only be the one that makes values.
    const given: ColumnDefault = typeof value === 'function' ? { make: value as () => unknown } : { value }
    return new Column({ ...this.settings, default: given })
  }

  /** Never null: a row cannot be added without a value unless there is a default. */
  required(): Column<Having<Traits, 'required'>> {
    return new Column({ ...this.settings, required: true })
  }

  /** No two rows have the same value; any number of them may have none. Answered from an index. */
  unique(): Column<Traits> {
    return new Column({ ...this.settings, unique: true })
  }

  /** Searches by this column are answered from an index. `link` columns always have one. */
  index(): Column<Traits> {
    return new Column({ ...this.settings, indexed: true })
  }

  /** Left out of `toJSON()`, so of every answer and export; readable as `row.column` all the same. */
  hidden(): Column<Having<Traits, 'hidden'>> {
    return new Column({ ...this.settings, hidden: true })
  }
}

/** The columns of one table, by name. */
export type Columns = { readonly [name: string]: Column }

/** The traits of a column. */
export type TraitsOf<C extends Column> = C[typeof columnTraits]

type Plain<Kind extends ColumnKind, Value, Input = Value> = Column<{
  readonly kind: Kind
  readonly value: Value
  readonly input: Input
  readonly required: false
  readonly defaulted: false
  readonly hidden: false
}>

/** Text: any well-formed Unicode without NUL. Compared and ordered by code point. */
export function text(): Plain<'text', string> {
  return new Column({ kind: 'text' })
}

/** A finite number (64-bit floating point). */
export function number(): Plain<'number', number> {
  return new Column({ kind: 'number' })
}

/** A whole number between -(2^53 - 1) and 2^53 - 1. */
export function integer(): Plain<'integer', number> {
  return new Column({ kind: 'integer' })
}

/** `true` or `false`; never 0 or 1. */
export function boolean(): Plain<'boolean', boolean> {
  return new Column({ kind: 'boolean' })
}

/** A day of the calendar as `YYYY-MM-DD`, without time or zone. */
export function date(): Plain<'date', string> {
  return new Column({ kind: 'date' })
}

/** An instant with milliseconds, as a JavaScript `Date`. Each read gives a `Date` of its own. */
export function datetime(): Plain<'datetime', Date> {
  return new Column({ kind: 'datetime' })
}

/**
 * Any JSON value. A Standard Schema validator, which must answer at once and not with a promise, checks what is written and types what is read.
 */
export function json(): Plain<'json', JsonValue>
export function json<Input, Output>(validator: StandardSchema<Input, Output>): Plain<'json', Output, Input>
export function json(validator?: StandardSchema): Plain<'json', unknown> {
  return new Column(validator === undefined ? { kind: 'json' } : { kind: 'json', validator })
}

/** Bytes with a content type and a name. Kept in the row and read with it: for pictures and small documents, not for films. */
export function media(): Plain<'media', Media> {
  return new Column({ kind: 'media' })
}

/** How a `link` behaves. */
interface LinkOptions {
  /** What becomes of this row when the linked one is deleted: the link becomes null (default), this row goes too, or the deletion is refused. */
  readonly onDelete?: OnDelete
}

/** A row of another table, or of the same one. */
export function link<const Name extends string>(table: Name, options: LinkOptions = {}): Plain<'link', LinkTo<Name>, RowLink<Name>> {
  return new Column({ kind: 'link', target: table, onDelete: options.onDelete ?? 'setNull' })
}

/**
 * An ordered list of rows of another table. A linked row that is deleted stays in the list as a reference that loads as null.
 */
export function links<const Name extends string>(table: Name): Plain<'links', LinkTo<Name>, readonly RowLink<Name>[]> {
  return new Column({ kind: 'links', target: table })
}
