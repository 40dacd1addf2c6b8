/**
 * What a `Vary` header is with more in it: nothing twice, and nothing beside `*`, which is everything (RFC 9110, 12.5.5).
 *
 * @param present its value or lines so far
 * @param more names of headers, commas between them
 */
export function addToVary(present: number | string | readonly string[] | undefined, more: string): string {
  if (present === undefined) return more
  const names = splitNames([present].flat().join(','))
  for (const name of splitNames(more)) {
    if (!names.some((each) => each === '*' || each.toLowerCase() === name.toLowerCase())) names.push(name)
  }
  return names.join(', ')
}

function splitNames(text: string): string[] {
  return text.split(',').map((name) => name.trim()).filter((name) => name !== '')
}
