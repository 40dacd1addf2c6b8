import { readFile, realpath, statfs } from 'node:fs/promises'

/** What kind of file system a folder is on, as far as it matters for a database. */
export interface FileSystemKind {
  /** `network`: locks and shared memory do not work between machines, SQLite's write-ahead log is unsafe there. `fuse`: it depends. */
  readonly kind: 'local' | 'network' | 'fuse'
  /** The usual name of the file system, for messages. */
  readonly name: string
}

/** The magic numbers that Linux's `statfs` gives for network and cluster file systems (statfs(2), linux/magic.h). */
const networkTypes = new Map<number, string>([
  [0x6969, 'NFS'],
  [0x517b, 'SMB'],
  [0xfe534d42, 'SMB2'],
  [0xff534d42, 'CIFS'],
  [0x5346414f, 'AFS'],
  [0x6b414653, 'AFS'],
  [0x73757245, 'Coda'],
  [0x01021997, '9P'],
  [0x00c36400, 'Ceph'],
  [0x0bd00bd0, 'Lustre'],
  [0x47504653, 'GPFS'],
  [0x19830326, 'BeeGFS'],
])

const fuseType = 0x65735546

/** Programs that show remote storage as a folder through FUSE. Others (overlays, encryption, shares of a virtual machine) are on this machine. */
const remoteFuse = new Set(
  'sshfs s3fs s3ql gcsfuse goofys geesefs rclone mount-s3 mountpoint-s3 blobfuse blobfuse2 davfs davfs2 curlftpfs smbnetfs glusterfs ceph ceph-fuse juicefs seaweedfs weed mfs'
    .split(' ')
    .map((program) => `fuse.${program}`),
)

/** Looks up the file system that holds a folder. Only Linux tells its type; elsewhere every folder counts as local. */
export async function fileSystemKind(directory: string): Promise<FileSystemKind> {
  if (process.platform !== 'linux') return { kind: 'local', name: 'unknown' }
  const { type } = await statfs(directory)
  const network = networkTypes.get(type)
  if (network !== undefined) return { kind: 'network', name: network }
  if (type !== fuseType) return { kind: 'local', name: `0x${type.toString(16)}` }
  const name = (await mountedType(await realpath(directory))) ?? 'fuse'
  return { kind: remoteFuse.has(name.toLowerCase()) ? 'network' : 'fuse', name }
}

/** The type of the innermost mount that holds the path, from /proc/self/mountinfo (proc(5)); `undefined` where that cannot be read. */
async function mountedType(path: string): Promise<string | undefined> {
  const text = await readFile('/proc/self/mountinfo', 'utf8').catch(() => '')
  let innermost = ''
  let type: string | undefined
  for (const line of text.split('\n')) {
    const [mount, source] = line.split(' - ')
    const point = mount?.split(' ')[4]?.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(parseInt(octal, 8)))
    if (point === undefined || source === undefined) continue
    const holds = path === point || path.startsWith(point.endsWith('/') ? point : `${point}/`)
    if (holds && point.length >= innermost.length) {
      innermost = point
      type = source.split(' ')[0]
    }
  }
  return type
}
