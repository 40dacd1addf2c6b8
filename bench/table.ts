/** A column of a {@link Table}. */
export interface Column {
  readonly heading: string
  /** In characters. */
  readonly width: number
  readonly align: 'left' | 'right'
}

/** A column of texts. */
export function texts(heading: string, width: number): Column {
  return { heading, width, align: 'left' }
}

/** A column of numbers. */
export function numbers(heading: string): Column {
  return { heading, width: Math.max(heading.length, 6), align: 'right' }
}

/** Prints lines as they come, in columns that can be read in a terminal and put into a page of Markdown. */
export class Table {
  readonly #columns: readonly Column[]

  constructor(...columns: readonly Column[]) {
    this.#columns = columns
    this.print(...columns.map(({ heading }) => heading))
    this.print(...columns.map(({ width, align }) => (align === 'left' ? '' : ':').padStart(width, '-')))
  }

  /** Prints one line; the cells are those of the columns, in their order. */
  print(...cells: readonly string[]): void {
    const padded = this.#columns.map(({ width, align }, index) => {
      const cell = cells[index] ?? ''
      return align === 'left' ? cell.padEnd(width) : cell.padStart(width)
    })
    console.log(`| ${padded.join(' | ')} |`)
  }
}
