import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'

/**
 * What a power cut leaves of a folder in which a program worked under strace: a file's data up to its last fsync or fdatasync that had ended, and the entries
 * of a folder up to that of the folder's last fsync. POSIX promises no more (fsync(2), "Notes"); most file systems keep more, so that what they would lose is seen here only.
 *
 * What is not written by system calls is not seen: the shared index of SQLite, which is mapped into memory and made anew at each start, and nothing else that Rowhouse has.
 */
export class PowerCut {
  readonly #root: string
  readonly #before: FolderNode
  readonly #calls: readonly FileCall[]

  /**
   * @param root the folder, as it was when the program started, and without links in its own path
   * @param before what {@link snapshot} took of it then
   * @param trace the file that strace has written
   */
  constructor(root: string, before: FolderNode, trace: string) {
    this.#root = root
    this.#before = before
    this.#calls = readFileCalls(trace)
  }

  /** The acknowledgements that left the program, lines `ack <marker>` to a socket or a pipe, each with the moment in which it left. */
  acknowledgements(): { readonly marker: string; readonly moment: number }[] {
    return this.#calls
      .filter(({ name, paths }) => /^writev?$/.test(name) && /^(socket|pipe):/.test(paths[0] ?? ''))
      .flatMap(({ data, began }) => [...data.toString('latin1').matchAll(/\back:? ([\w./-]+)/g)].map(([, marker = '']) => ({ marker, moment: began })))
  }

  /** Just after each call that made a name or took one away, or made something durable: what is left of the folder changes there. */
  moments(): number[] {
    const changing = /^(mkdir|rename|unlink|link|fsync|fdatasync|ftruncate)/
    return this.#calls.filter(({ name, paths }) => changing.test(name) && paths.some((path) => path.startsWith(this.#root))).map(({ ended }) => ended + 1)
  }

  /** Makes what a power cut at the moment would have left, in a folder that is not there yet. */
  rebuild(moment: number, target: string): void {
    const disk = new Disk(this.#root, this.#before)
    // What had not ended had not happened; a sync covers what had ended before it began.
    const steps = this.#calls
      .filter(({ ended }) => ended < moment)
      .flatMap((call) => (isSync(call) ? [{ call, at: call.began, isStart: true }, { call, at: call.ended, isStart: false }] : [{ call, at: call.ended, isStart: false }]))
      .sort((a, b) => a.at - b.at)
    for (const { call, isStart } of steps) disk.apply(call, isStart)
    writeFolder(target, disk.durable())
  }
}

/** A file: what a reader would find in it, and what the disk has of it. */
interface FileNode {
  data: Buffer
  durable: Buffer
}

/** A folder, likewise. */
interface FolderNode {
  entries: Map<string, Node>
  durable: Map<string, Node>
}

type Node = FileNode | FolderNode

/** Reads a folder whose every file is on the disk. */
export function snapshot(folder: string): FolderNode {
  const entries = new Map<string, Node>()
  for (const name of readdirSync(folder)) {
    const path = join(folder, name)
    if (statSync(path).isDirectory()) entries.set(name, snapshot(path))
    else {
      const data = readFileSync(path)
      entries.set(name, { data, durable: data })
    }
  }
  return { entries, durable: new Map(entries) }
}

/** Lets the entry of a path be one that was made and never synced, as by a program that was killed in between. */
export function unsynced(folder: FolderNode, path: string): void {
  const [name = '', ...rest] = path.split('/')
  const node = folder.entries.get(name)
  if (rest.length === 0) folder.durable.delete(name)
  else if (node !== undefined && 'entries' in node) unsynced(node, rest.join('/'))
}

function writeFolder(target: string, { durable }: FolderNode): void {
  mkdirSync(target, { mode: 0o700 })
  for (const [name, node] of durable) {
    if ('entries' in node) writeFolder(join(target, name), node)
    else writeFileSync(join(target, name), node.durable, { mode: 0o600 })
  }
}

/** One system call that has succeeded, with the lines of the trace at which it began and ended. */
interface FileCall {
  readonly name: string
  /** Whole paths, of descriptors and of arguments. */
  readonly paths: readonly string[]
  /** What was written. */
  readonly data: Buffer
  /** The arguments as strace shows them, without the texts. */
  readonly rest: string
  readonly result: number
  readonly descriptor: string
  readonly began: number
  readonly ended: number
}

function isSync({ name }: FileCall): boolean {
  return name === 'fsync' || name === 'fdatasync'
}

/** Calls that would change a file in a way that is not followed here, so that a rebuilt folder would say nothing. */
const notFollowed = /^(copy_file_range|sendfile|splice|sync|syncfs|sync_file_range|pwritev2?|symlink(at)?|truncate|fallocate)$/

class Disk {
  readonly #root: string
  readonly #tree: FolderNode
  /** Where the next `write` to a descriptor goes. */
  readonly #offsets = new Map<string, number>()
  /** What a sync that is under way will have made durable. */
  readonly #syncing = new Map<FileCall, () => void>()

  constructor(root: string, before: FolderNode) {
    this.#root = root
    this.#tree = copyOf(before)
  }

  durable(): FolderNode {
    return this.#tree
  }

  apply(call: FileCall, isStart: boolean): void {
    const inside = call.paths.filter((path) => path === this.#root || path.startsWith(`${this.#root}/`))
    const [path = '', second = ''] = inside
    if (path === '') return
    if (notFollowed.test(call.name)) throw new Error(`${call.name} on ${path} is not followed`)
    if (isSync(call)) {
      if (isStart) this.#syncing.set(call, this.#sync(path))
      else this.#syncing.get(call)?.()
      return
    }
    switch (call.name) {
      case 'open':
      case 'openat':
      case 'creat':
        this.#open(path, call)
        break
      case 'mkdir':
      case 'mkdirat':
        this.#folder(dirname(path))?.entries.set(nameOf(path), { entries: new Map(), durable: new Map() })
        break
      case 'unlink':
      case 'unlinkat':
      case 'rmdir':
        this.#folder(dirname(path))?.entries.delete(nameOf(path))
        break
      case 'rename':
      case 'renameat':
      case 'renameat2':
      case 'link':
      case 'linkat':
        this.#move(path, second, call.name.startsWith('rename'))
        break
      case 'ftruncate':
        this.#truncate(path, Number(/(\d+)\s*$/.exec(call.rest)?.[1]))
        break
      case 'pwrite64':
        this.#write(path, call, Number(/(\d+)\s*$/.exec(call.rest)?.[1]))
        break
      case 'write':
      case 'writev':
        this.#write(path, call, null)
        break
      default:
    }
  }

  #open(path: string, { rest, descriptor }: FileCall): void {
    this.#offsets.delete(descriptor)
    let node = this.#find(path)
    if (node === undefined && /O_CREAT/.test(rest)) {
      node = { data: Buffer.alloc(0), durable: Buffer.alloc(0) }
      this.#folder(dirname(path))?.entries.set(nameOf(path), node)
    }
    if (node === undefined || 'entries' in node) return
    if (/O_TRUNC/.test(rest)) node.data = Buffer.alloc(0)
    if (/O_APPEND/.test(rest)) this.#offsets.set(descriptor, -1)
  }

  #write(path: string, { data, result, descriptor }: FileCall, offset: number | null): void {
    const node = this.#find(path)
    // Without a name, or a name for memory: it is gone with the process.
    if (node === undefined || 'entries' in node) return
    const own = this.#offsets.get(descriptor) ?? 0
    const start = offset ?? (own === -1 ? node.data.length : own)
    if (data.length < result) throw new Error(`strace has cut what was written to ${path}: ${data.length} of ${result} bytes`)
    const whole = Buffer.alloc(Math.max(node.data.length, start + result))
    node.data.copy(whole)
    data.copy(whole, start, 0, result)
    node.data = whole
    if (offset === null && own !== -1) this.#offsets.set(descriptor, start + result)
  }

  #truncate(path: string, length: number): void {
    const node = this.#find(path)
    if (node === undefined || 'entries' in node) return
    const whole = Buffer.alloc(length)
    node.data.copy(whole)
    node.data = whole
  }

  #move(from: string, to: string, isRename: boolean): void {
    const node = this.#find(from)
    if (node === undefined) return
    if (isRename) this.#folder(dirname(from))?.entries.delete(nameOf(from))
    this.#folder(dirname(to))?.entries.set(nameOf(to), node)
  }

  /** What the sync of a path makes durable once it has ended: that which is there now. */
  #sync(path: string): () => void {
    const node = this.#find(path)
    if (node === undefined) return () => undefined
    if ('entries' in node) {
      const entries = new Map(node.entries)
      return () => (node.durable = entries)
    }
    const { data } = node
    return () => (node.durable = data)
  }

  #folder(path: string): FolderNode | undefined {
    const node = this.#find(path)
    return node !== undefined && 'entries' in node ? node : undefined
  }

  #find(path: string): Node | undefined {
    let node: Node | undefined = this.#tree
    for (const name of path.slice(this.#root.length).split('/').filter((part) => part !== '')) {
      node = node !== undefined && 'entries' in node ? node.entries.get(name) : undefined
    }
    return node
  }
}

function copyOf({ entries, durable }: FolderNode): FolderNode {
  const copied = [...entries].map(([name, node]): [string, Node] => [name, 'entries' in node ? copyOf(node) : { ...node }])
  return { entries: new Map(copied), durable: new Map(copied.filter(([name]) => durable.has(name))) }
}

function nameOf(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1)
}

/** The command that runs a program so that {@link PowerCut} can read what it did; `inject` lets calls wait or fail (strace(1), "Tampering"). */
export function recorded(trace: string, command: readonly string[], inject: readonly string[] = []): [string, string[]] {
  const calls =
    'open,openat,creat,mkdir,mkdirat,rename,renameat,renameat2,unlink,unlinkat,rmdir,link,linkat,symlink,symlinkat,ftruncate,truncate,fallocate,' +
    'write,pwrite64,writev,pwritev,pwritev2,copy_file_range,sendfile,splice,fsync,fdatasync,sync,syncfs,sync_file_range'
  return ['strace', ['-f', '--seccomp-bpf', '-qq', '-y', '-xx', '-s', '1048576', '-e', 'signal=none', '-e', `trace=${calls}`, ...inject, '-o', trace, ...command]]
}

const begun = /^(\d+) +(\w+)\((.*) <unfinished \.\.\.>$/
const resumed = /^(\d+) +<\.\.\. (\w+) resumed>(.*)$/
const whole = /^(\d+) +(\w+)\((.*)\) += (-?\d+)(?:<((?:\\x[0-9a-f]{2})*)>)?/
/** A file that has no name any more is none of the folder's. */
const described = /(\d+|AT_FDCWD)<((?:\\x[0-9a-f]{2})*)>(\(deleted\))?/g
const quoted = /"((?:\\x[0-9a-f]{2})*)"/g

function readFileCalls(trace: string): FileCall[] {
  const calls: FileCall[] = []
  const unfinished = new Map<string, { text: string; line: number }>()
  for (const [index, line] of readFileSync(trace, 'latin1').split('\n').entries()) {
    const [, thread = '', name = '', start = ''] = begun.exec(line) ?? []
    if (thread !== '') {
      unfinished.set(`${thread} ${name}`, { text: `${thread} ${name}(${start}`, line: index })
      continue
    }
    const [, sameThread = '', sameName = '', end = ''] = resumed.exec(line) ?? []
    const before = unfinished.get(`${sameThread} ${sameName}`)
    unfinished.delete(`${sameThread} ${sameName}`)
    const call = readCall(before === undefined ? line : before.text + end, before?.line ?? index, index)
    if (call !== null) calls.push(call)
  }
  return calls
}

function readCall(text: string, began: number, ended: number): FileCall | null {
  const [, , name = '', given = '', result = '-1', opened] = whole.exec(text) ?? []
  if (name === '' || Number(result) < 0) return null
  const descriptors = [...given.matchAll(described)].map(([, number = '', path = '', isGone]) => ({ number, path: isGone === undefined ? bytes(path).toString() : '' }))
  const texts = [...given.matchAll(quoted)].map(([, content = '']) => bytes(content))
  const takesPaths = /^(open|creat|mkdir|rename|unlink|rmdir|link|symlink|truncate)/.test(name)
  const folders = descriptors.filter(({ number }) => number === 'AT_FDCWD' || takesPaths)
  const named = texts.map((path, index) => {
    const name = path.toString()
    return name.startsWith('/') ? name : join((folders[index] ?? folders[0])?.path ?? '/', name)
  })
  return {
    name,
    paths: takesPaths ? (opened === undefined ? named : [bytes(opened).toString()]) : descriptors.map(({ path }) => path),
    data: takesPaths ? Buffer.alloc(0) : Buffer.concat(texts),
    rest: given.replaceAll(quoted, '').replaceAll(described, ''),
    result: Number(result),
    descriptor: takesPaths ? result : (descriptors[0]?.number ?? ''),
    began,
    ended,
  }
}

function bytes(escaped: string): Buffer {
  return Buffer.from(escaped.replaceAll('\\x', ''), 'hex')
}
