import { existsSync, readFileSync } from 'node:fs'

const strace = '/usr/bin/strace'

/** Why system calls cannot be traced here, in capitals so that nobody overlooks it; `false` when they can. */
export const traceMissing: string | false = existsSync(strace)
  ? false
  : 'STRACE IS MISSING: WHAT THIS TEST PROVES ABOUT THE DISK IS UNPROVEN ON THIS MACHINE (install the Debian package strace)'

/** The command that runs a program under strace; `inject` makes system calls fail or wait (strace(1), "Tampering"). */
export function traced(output: string, inject: readonly string[], command: readonly string[]): [string, string[]] {
  const trace = ['-f', '-qq', '-y', '-xx', '-s', '8192', '-e', 'trace=pwrite64,write,writev,fsync,fdatasync', '-o', output]
  return [strace, [...trace, ...inject, ...command]]
}

/** The same, without a record: only to tamper with the calls named by `inject`. */
export function tampered(inject: readonly string[], command: readonly string[]): [string, string[]] {
  return [strace, ['-f', '-qq', '-o', '/dev/null', ...inject, ...command]]
}

/** One system call on a file, with the lines of the trace at which it began and ended. */
interface SystemCall {
  readonly name: string
  readonly descriptor: number
  readonly path: string
  readonly data: Buffer
  readonly began: number
  ended: number
  result: number
}

const call = /^(\d+) +(\w+)\((\d+)<((?:\\x[0-9a-f]{2})*)>([^<]*?)(?:\) += (-?\d+)| <unfinished)/
const quoted = /"((?:\\x[0-9a-f]{2})*)"/g
const resumed = /^(\d+) +<\.\.\. (\w+) resumed>.*\) += (-?\d+)/

/** Reads what strace has recorded. */
export function readTrace(file: string): SystemCall[] {
  const calls: SystemCall[] = []
  const unfinished = new Map<string, SystemCall>()
  for (const [index, line] of readFileSync(file, 'latin1').split('\n').entries()) {
    const start = call.exec(line)
    if (start !== null) {
      const [, thread = '', name = '', descriptor, path = '', rest = '', result] = start
      // A vector of buffers is quoted one by one.
      const data = Buffer.concat([...rest.matchAll(quoted)].map((match) => bytes(match[1] ?? '')))
      const made = { name, descriptor: Number(descriptor), path: bytes(path).toString(), data, began: index, ended: index, result: Number(result ?? 0) }
      calls.push(made)
      if (result === undefined) unfinished.set(`${thread} ${name}`, Object.assign(made, { ended: Infinity }))
      continue
    }
    const [, thread, name, result] = resumed.exec(line) ?? []
    const ending = unfinished.get(`${thread} ${name}`)
    if (ending !== undefined) Object.assign(ending, { ended: index, result: Number(result) })
  }
  return calls
}

/**
 * The acknowledgements, lines `ack <marker>` on standard output or a socket, that left before the row with the marker was on the disk: before the end of
 * a successful sync of the log which began after the commit's last page had been written to the log, or before the folder's entry was synced.
 */
export function unsafeAcknowledgements(calls: readonly SystemCall[], log: string): string[] {
  const logWrites = calls.filter((made) => made.name === 'pwrite64' && made.path === log)
  const syncs = calls.filter((made) => /^f(data)?sync$/.test(made.name) && made.path === log && made.result === 0)
  const folder = log.slice(0, log.lastIndexOf('/'))
  const folderSync = calls.find((made) => made.name === 'fsync' && made.path === folder && made.result === 0 && made.began > (logWrites[0]?.began ?? Infinity))
  return acknowledgements(calls).filter(([marker, sent]) => {
    const committed = endOfCommit(logWrites, marker)
    const covered = committed !== undefined && syncs.some((sync) => sync.began > committed && sync.ended < sent)
    return !covered || folderSync === undefined || folderSync.ended > sent
  }).map(([marker]) => marker)
}

/** The markers that were acknowledged, in a body or a header, each with the line at which the write to standard output or a socket began. */
export function acknowledgements(calls: readonly SystemCall[]): [string, number][] {
  return calls
    .filter((made) => /^writev?$/.test(made.name) && (made.descriptor === 1 || made.path.startsWith('socket:')))
    .flatMap((made) => [...made.data.toString().matchAll(/^ack:? (\S+?)\r?$/gm)].map((match): [string, number] => [match[1] ?? '', made.began]))
}

/**
 * Where the commit that first wrote the marker had its last page in the log. A frame is a header of 24 bytes and a page;
 * the header of a commit's last frame has the size of the database in its second word, the others have 0 (https://sqlite.org/fileformat2.html#walformat).
 */
function endOfCommit(logWrites: readonly SystemCall[], marker: string): number | undefined {
  const first = logWrites.findIndex((made) => made.data.includes(marker))
  if (first === -1) return undefined
  // The page with the marker may itself be the last one, whose header comes before it.
  for (let index = first - 1; index < logWrites.length; index++) {
    const header = logWrites[index]
    if (header?.data.length === 24 && header.data.readUInt32BE(4) !== 0) return logWrites[index + 1]?.ended
  }
  return undefined
}

function bytes(escaped: string): Buffer {
  return Buffer.from(escaped.replaceAll('\\x', ''), 'hex')
}
