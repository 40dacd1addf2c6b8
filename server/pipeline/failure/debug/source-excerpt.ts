import { readFileSync, statSync } from 'node:fs'
import { extname, join } from 'node:path'

/** A line of a source file. */
export interface SourceLine {
  readonly number: number
  readonly text: string
  /** Whether it is the line that was asked for. */
  readonly isMarked: boolean
}

/** What may be shown: source, and nothing else that lies beside it. */
const sourceEndings: ReadonlySet<string> = new Set(['.ts', '.mts', '.cts', '.tsx', '.js', '.mjs', '.cjs', '.jsx'])
/** Generated files may be huge, and nobody reads them; bytes. */
const largest = 1024 * 1024
/** How many lines are shown before and after the one that was asked for. */
const around = 4

/**
 * The lines around one line of a source file; none when it is no source, may hold secrets, or cannot be read.
 *
 * @param directory the app's folder
 * @param file relative to it
 */
export function sourceExcerpt(directory: string, file: string, line: number): readonly SourceLine[] {
  if (!sourceEndings.has(extname(file)) || file.split('/').some((part) => part.startsWith('.')) || file.startsWith('rowhouse.config.')) return []
  try {
    const path = join(directory, file)
    const status = statSync(path)
    if (!status.isFile() || status.size > largest) return []
    const lines = readFileSync(path, 'utf8').trimEnd().split('\n')
    if (line < 1 || line > lines.length) return []
    const first = Math.max(1, line - around)
    return lines.slice(first - 1, line + around).map((text, index) => ({
      number: first + index,
      text: text.trimEnd(),
      isMarked: first + index === line,
    }))
  } catch {
    return []
  }
}
