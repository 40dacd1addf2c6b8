import { sourceExcerpt, type SourceLine } from './source-excerpt.js'
import { stackFrames, type StackFrame } from './stack-frames.js'
import type { HideSecrets } from '../../../http/hide-secrets.js'
import { toError } from '../../../errors/to-error.js'

/** A call on the stack, with the source around it where it is the app's own. */
export interface ReportedFrame extends StackFrame {
  readonly source: readonly SourceLine[]
}

/** One error of a report: the one that nobody caught, or one that led to it. */
export interface ReportedError {
  /** How it belongs to the error before it: `Caused by`; `''` for the first. */
  readonly relation: string
  /** The name of its class. */
  readonly name: string
  readonly message: string
  readonly frames: readonly ReportedFrame[]
}

/** What is reported, and where its source is. */
export interface ReportOptions {
  /** The app's folder, free of symbolic links. */
  readonly directory: string
  readonly hide: HideSecrets
  /** The error that was being answered when this one was thrown. */
  readonly earlier?: unknown
}

/** A chain of causes may be long, or a circle. */
const mostErrors = 8
const longestMessage = 5000
const longestLine = 300
/** Of how many calls of one error the source is read. */
const mostExcerpts = 6

/** Everything that the developer of an app wants to know of an error that nobody caught, without any secret: the error, its causes, and the source around each call of the app's own code. */
export function reportError(thrown: unknown, options: ReportOptions): readonly ReportedError[] {
  const reported: ReportedError[] = []
  const seen = new Set<unknown>()
  const add = (value: unknown, relation: string): void => {
    if (reported.length >= mostErrors || seen.has(value)) return
    seen.add(value)
    const error = toError(value)
    reported.push(reportOne(error, relation, options))
    if (error.cause !== undefined && error.cause !== null) add(error.cause, 'Caused by')
    if (error instanceof AggregateError) for (const each of error.errors) add(each, 'One of')
  }
  add(thrown, '')
  if (options.earlier !== undefined) add(options.earlier, 'While this was being answered')
  return reported
}

/** A call as text: `handler (modules/tasks.ts:12:9)`. */
export function formatFrame({ code, file, line, column }: StackFrame): string {
  return code === '' ? `${file}:${line}:${column}` : `${code} (${file}:${line}:${column})`
}

function reportOne(error: Error, relation: string, { directory, hide }: ReportOptions): ReportedError {
  const message = String(error.message)
  let excerpts = 0
  const frames = stackFrames({ stack: String(error.stack ?? ''), message }, directory).map((frame) => {
    const source = frame.isOwn && excerpts++ < mostExcerpts ? sourceExcerpt(directory, frame.file, frame.line) : []
    return { ...frame, code: hide(frame.code), file: hide(frame.file), source: source.map((line) => ({ ...line, text: shorten(hide(line.text), longestLine) })) }
  })
  return { relation, name: hide(nameOf(error)), message: shorten(hide(message), longestMessage), frames }
}

/** Only for what holds no secret any more: a part of one would not be found. */
function shorten(text: string, length: number): string {
  return text.length > length ? `${text.slice(0, length)}…` : text
}

/** The name that an error goes by: its own, or, since most classes do not set one, that of its class. */
function nameOf(error: Error): string {
  const { name } = error
  if (typeof name === 'string' && name !== '' && name !== 'Error') return name
  const constructor: unknown = error.constructor
  return typeof constructor === 'function' && constructor.name !== '' ? constructor.name : 'Error'
}
