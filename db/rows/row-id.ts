/** The id of a row as text: `[<table number>,<row number>]`, without spaces. */
export function formatRowId(tableNumber: number, rowNumber: number): string {
  return `[${tableNumber},${rowNumber}]`
}

/** Two numbers of at most 16 digits, brackets and comma. */
const longest = 35
const pattern = /^\[([1-9][0-9]{0,15}),([1-9][0-9]{0,15})\]$/

/** The row number in the id of a row of this table; null for anything else whatever. */
export function parseRowId(id: unknown, tableNumber: number): number | null {
  if (typeof id !== 'string' || id.length > longest) return null
  const match = pattern.exec(id)
  if (match === null || Number(match[1]) !== tableNumber) return null
  const rowNumber = Number(match[2])
  return Number.isSafeInteger(rowNumber) ? rowNumber : null
}
