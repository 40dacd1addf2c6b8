import { loggerTo } from './open-log.js'

/** What JSON makes of an error's members. */
type Member = string | number | boolean | null | readonly Member[] | { readonly [name: string]: Member }

let line = ''
const serializer = loggerTo({ write: (written) => void (line = written) }, 'trace')

/**
 * An error as the log writes it, with its causes and members, in which each text is changed, and each number as a text. What is returned stands for it in a line; it is no error itself, which the log would take apart again.
 *
 * @throws what a member throws when it is read, or a frozen error when it is marked
 */
export function plainError(error: Error, change: (text: string) => string): { toJSON(): unknown } {
  serializer.error({ err: error })
  const { err } = JSON.parse(line) as { readonly err: Readonly<Record<string, Member>> }
  const changed = changeTexts(err, change)
  return { toJSON: () => changed }
}

function changeTexts(value: Member, change: (text: string) => string): Member {
  if (typeof value === 'string') return change(value)
  if (typeof value === 'number') {
    const text = String(value)
    const changed = change(text)
    return changed === text ? value : changed
  }
  if (typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) return (value as readonly Member[]).map((member) => changeTexts(member, change))
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, changeTexts(member, change)]))
}
