/** Anything that JSON can say. Read-only, because changing a value that was read from a row would change nothing in the database. */
export type JsonValue = null | boolean | number | string | readonly JsonValue[] | { readonly [member: string]: JsonValue }
