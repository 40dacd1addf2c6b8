/** What is wrong with a spread row, and what to do, as the end of a sentence. */
export const spreadMistake = 'the columns of a row are getters, which a spread leaves behind; spread row.toJSON()'

/**
 * On every row, for one purpose: a spread takes it along and leaves the columns behind, which are getters of the row's
 * class. What is sent or written with it was meant to have them. Getters of each row's own, which a spread would read,
 * take ten times the time that a row takes now.
 */
export const rowMark = Symbol(spreadMistake)

/** Whether an object was made by spreading a row. */
export function isSpreadRow(object: object): boolean {
  return (object as { readonly [rowMark]?: true })[rowMark] === true
}
