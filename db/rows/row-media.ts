import type { SqlValue } from '../engine/engine.js'
import { RowDeleted, TableError } from '../errors/errors.js'
import { Media } from '../values/media.js'
import { StoredContent } from '../values/stored-content.js'
import { decodeMediaHeader, type MediaHeader } from './media-codec.js'
import { formatRowId } from './row-id.js'
import type { LaidOutColumn, TableLayout } from './table-layout.js'

/** Where a media lies. */
interface MediaPlace {
  readonly layout: TableLayout
  readonly column: LaidOutColumn
  readonly rowNumber: number
}

/** What a row was read with of a `media` column. */
interface ReadFrame {
  /** The frame, or its beginning. */
  readonly beginning: Uint8Array
  /** The bytes of the whole frame. */
  readonly length: number
}

/**
 * The bytes of a `media` column. Those of a row that was read are still in the database: they are read by the row's id
 * when somebody asks for them, in the transaction of whoever does, and kept from then on.
 */
export class RowMedia extends StoredContent {
  override readonly length: number
  override readonly isOpen = true
  override readonly hasCheapParts = false
  /** Another one each time that the column of a row is written; null where none was kept. */
  readonly mark: string | null
  readonly #place: MediaPlace
  readonly #header: MediaHeader
  #bytes: Uint8Array | null

  private constructor(place: MediaPlace, { beginning, length }: ReadFrame, header: MediaHeader) {
    super()
    this.length = length - header.end
    this.mark = header.mark
    this.#place = place
    this.#header = header
    this.#bytes = beginning.byteLength === length ? beginning.subarray(header.end) : null
  }

  /** Makes the value of a `media` column of a row. */
  static make(place: MediaPlace, read: ReadFrame): Media {
    const short = decodeMediaHeader(read.beginning)
    // A name that is this long is rare enough to be read with the bytes.
    const beginning = short === null ? readFrame(place) : read.beginning
    const header = short ?? headerOf(beginning)
    return new Media(new RowMedia(place, { beginning, length: short === null ? beginning.byteLength : read.length }, header), header)
  }

  /** @throws RowDeleted, TableError with code `row-changed`: of a value that is gone, the bytes are gone too */
  override readSync(): Uint8Array {
    return (this.#bytes ??= this.#checked(readFrame(this.#place)))
  }

  override async read(position: number, length: number): Promise<Uint8Array> {
    return this.readSync().subarray(position, position + length)
  }

  #checked(frame: Uint8Array): Uint8Array {
    const { contentType, name, mark, end } = headerOf(frame)
    const header = this.#header
    const same = mark === header.mark && contentType === header.contentType && name === header.name && frame.byteLength - end === this.length
    if (!same) throw changed(this.#place)
    return frame.subarray(end)
  }
}

function readFrame(place: MediaPlace): Uint8Array {
  const { layout, column, rowNumber } = place
  const { statements, transactions, tableNumber } = layout.attachment
  const [row] = transactions.connection().readSync(statements.mediaById(column.name), [rowNumber])
  if (row === undefined) throw new RowDeleted(layout.name, formatRowId(tableNumber, rowNumber))
  const frame: SqlValue | undefined = row[0]
  if (!(frame instanceof Uint8Array)) throw changed(place)
  return frame
}

/** Of a whole frame, which holds its header. */
function headerOf(frame: Uint8Array): MediaHeader {
  const header = decodeMediaHeader(frame)
  if (header === null) throw new Error('a media column holds something else than a media')
  return header
}

function changed({ layout, column, rowNumber }: MediaPlace): TableError {
  const id = formatRowId(layout.attachment.tableNumber, rowNumber)
  const isHidden = column.settings.hidden === true
  const place = isHidden ? `a hidden column of table ${layout.name}` : `${layout.name}.${column.name}`
  const message = `${place}, of row ${id}, has been changed since the row was read; read the row again`
  return new TableError('row-changed', message, { table: layout.name, columns: isHidden ? [] : [column.name] })
}
