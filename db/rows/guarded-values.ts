const allowed = new WeakMap<object, ReadonlySet<string>>()

/**
 * The same values with those of guarded columns added, which only an object from here may write. It is for the one
 * service that a guarded column belongs to; whoever copies the object copies no permission.
 */
export function withGuarded<Values extends object>(values: Values, guarded: Readonly<Record<string, unknown>>): Values {
  const all = { ...values, ...guarded }
  allowed.set(all, new Set(Object.keys(guarded)))
  return all
}

/** Whether an object that is written may have a value for this guarded column. */
export function mayWriteGuarded(values: object, column: string): boolean {
  return allowed.get(values)?.has(column) === true
}
