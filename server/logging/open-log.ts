import { rmSync, writeFileSync } from 'node:fs'
import { basename, dirname } from 'node:path'
import { pino, stdSerializers, stdTimeFunctions, type DestinationStream, type Logger } from 'pino'
import { describeObstacle, makeFolder } from '../../db/files/folders.js'
import { ConfigurationError } from '../settings/configuration-error.js'
import { toBareMessage } from './bare-message.js'
import { LogFile, reasonOf } from './log-file.js'
import type { LoggingSettings } from './logging-settings.js'
import { StandardOutput, standardOutput, type Teller } from './standard-output.js'

/** An app's log, with a way in for each kind of line. */
export interface AppLog {
  /** Lines of the platform. */
  readonly platform: Logger
  /** Lines of the app's own code. */
  readonly own: Logger
  /** Takes the line of a request, made already; null when the level of the log leaves requests out. */
  readonly writeRequest: ((line: string) => void) | null
  /** Writes what has been gathered for the file. Lines that come later are written too, one by one. */
  close(): void
}

/** What a log depends on. */
export interface LogOptions extends LoggingSettings {
  /** The data folder, whose own files are no place for a log. */
  readonly data: string
  /** A secret that no line has. */
  readonly private: { readonly accessKey: string | null }
}

/**
 * Opens the app's log: one line of JSON for each event on standard output (readable lines where that is a terminal), and in the file where one is configured.
 *
 * A file of bare messages is for reading: it has what the app's own code logs, and of the platform's lines the warnings and errors, but neither requests nor starts and stops.
 *
 * @param stream where lines go instead of standard output
 * @throws ConfigurationError when the file cannot be written
 */
export async function openLog(options: LogOptions, stream?: DestinationStream): Promise<AppLog> {
  const { level, format } = options.logging
  const output = stream ?? (await standardOutput())
  const file = await openFile(options, loggerTo(output, level))
  const isBare = format === 'message'
  const { accessKey } = options.private
  const hide = (to: DestinationStream): DestinationStream => (accessKey === null ? to : without(accessKey, to))
  const own = hide(file === null ? output : both(output, { write: (line) => file.write(isBare ? toBareMessage(line) : line) }))
  const platform = file !== null && isBare ? hide(both(output, { write: (line) => isNote(line) || file.write(toBareMessage(line)) })) : own
  const requests = isBare ? hide(output) : own
  const logger = loggerTo(platform, level)
  const stopTelling = file !== null && output instanceof StandardOutput ? output.tellAlso(tellIn(file, options.logging)) : null
  return {
    platform: logger,
    own: loggerTo(own, level),
    writeRequest: logger.isLevelEnabled('info') ? (line) => void requests.write(line) : null,
    close: () => {
      stopTelling?.()
      file?.close()
    },
  }
}

/** A logger whose lines have the form of every line of Rowhouse's: level, time, fields, message. */
export function loggerTo(stream: DestinationStream, level: string): Logger {
  const options = { level, base: undefined, messageKey: 'message', timestamp: stdTimeFunctions.isoTime, serializers: { error: stdSerializers.err } }
  return pino(options, stream)
}

/** Passes lines on without a secret, which is of characters that JSON does not escape. A client may send an access key where none is expected, and a link that is logged has it. */
function without(secret: string, stream: DestinationStream): DestinationStream {
  return { write: (line) => stream.write(line.includes(secret) ? line.replaceAll(secret, '[access key]') : line) }
}

function both(first: DestinationStream, second: { write(line: string): unknown }): DestinationStream {
  return {
    write(line) {
      first.write(line)
      second.write(line)
    },
  }
}

/** The levels below `warn`, in the form in which every line of pino's begins. */
const note = /^\{"level":[123]0,/

function isNote(line: string): boolean {
  return note.test(line)
}

/** Says in the file what is the matter with standard output. */
function tellIn(file: LogFile, { level: least, format }: LoggingSettings['logging']): Teller {
  const logger = loggerTo({ write: (line) => file.write(format === 'message' ? toBareMessage(line) : line) }, least)
  return (level, message) => logger[level](message)
}

async function openFile({ logging, data }: LogOptions, elsewhere: Logger): Promise<LogFile | null> {
  const { file: path, maxSize, keep, format } = logging
  if (path === null) return null
  if (dirname(path) === data && /^(rowhouse\.db|server\.lock)/.test(basename(path))) throw new ConfigurationError([`logging.file: ${path} belongs to the database; choose another file`])
  const describeLoss = (count: number): string => {
    const message = `${count} log lines are missing here: they could not be written, and were more than could wait`
    return format === 'message' ? `${message}\n` : `${JSON.stringify({ level: 40, time: new Date().toISOString(), message })}\n`
  }
  let file: LogFile | null = null
  try {
    // It may be in the data folder, which would then be made here.
    await makeFolder(dirname(path))
    file = new LogFile({ path, maxSize, keep, tell: (level, message) => elsewhere[level](message), describeLoss })
    assertRoom(path)
    return file
  } catch (error) {
    file?.close()
    const obstacle = describeObstacle(dirname(path), 'the log')
    throw new ConfigurationError([`logging.file: ${obstacle ?? `${path} cannot be written (${reasonOf(error)}); make it a file that this user can write`}, or choose another one`])
  }
}

/** More than what is left of a file's last block. */
const someBytes = 64 * 1024

/** An empty file can be made on a full disk; this finds out whether it can be filled. Where no other file may be made beside the log, there is nothing to find out. */
function assertRoom(path: string): void {
  const probe = `${path}.${process.pid}.tmp`
  try {
    writeFileSync(probe, Buffer.alloc(someBytes), { mode: 0o600, flag: 'wx' })
  } catch (error) {
    if (/^(ENOSPC|EDQUOT)$/.test(reasonOf(error))) throw error
  } finally {
    rmSync(probe, { force: true })
  }
}
