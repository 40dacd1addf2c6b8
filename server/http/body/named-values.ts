/** Gathers values by name, in an object without a prototype; those of one name in a list, in the order in which they came. */
export class NamedValues<Value extends string | object> {
  readonly byName = Object.create(null) as Record<string, Value | Value[]>

  add(name: string, value: Value): void {
    const present = this.byName[name]
    if (present === undefined) this.byName[name] = value
    else if (Array.isArray(present)) present.push(value)
    else this.byName[name] = [present, value]
  }
}
