/** The place of a member in a value, as JavaScript would write it: `body.items[2].price`, `body["odd name"]`. */
export function memberPlace(place: string, key: PropertyKey): string {
  if (typeof key === 'number') return `${place}[${key}]`
  const name = String(key)
  return /^[A-Za-z_$][\w$]*$/.test(name) ? `${place}.${name}` : `${place}[${JSON.stringify(name)}]`
}
