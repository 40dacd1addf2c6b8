import { spawnSync } from 'node:child_process'
import { accessSync, constants, existsSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'

/** What a test may need that not every machine has, and how it is found. */
interface Need {
  readonly isHere: () => boolean
  /** What whoever misses it can do. */
  readonly remedy: string
  /** Whether it is something slow, so that the fast lane leaves out what needs it: a browser, a server, or a program that is started for each request. */
  readonly isSlow: boolean
}

const browsers = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable']

function program(names: readonly string[], debianPackage: string, isSlow = false): Need {
  return { isHere: () => find(names) !== null, remedy: `install the Debian package ${debianPackage}`, isSlow }
}

const known = {
  bash: program(['bash'], 'bash'),
  curl: program(['curl'], 'curl', true),
  haproxy: program(['haproxy'], 'haproxy', true),
  nginx: program(['nginx'], 'nginx-light', true),
  npm: program(['npm'], 'npm'),
  script: program(['script'], 'bsdutils'),
  strace: program(['strace'], 'strace', true),
  'a browser': program(browsers, 'chromium', true),
  'a small disk': {
    isHere: () => spawnSync('unshare', ['--map-root-user', '--mount', 'mount', '-t', 'tmpfs', '-o', 'size=1m', 'none', tmpdir()]).status === 0,
    remedy: 'run as root, or where "unshare --map-root-user --mount" and a tmpfs are allowed',
    isSlow: false,
  },
  '/proc': { isHere: () => existsSync('/proc/self/fd'), remedy: 'run on Linux', isSlow: false },
} satisfies Record<string, Need>

/** Where Debian has servers, which is not in the `PATH` of everybody. */
const serverFolder = '/usr/sbin'

/** The path of a program that goes by one of these names, or null when none of them is in `PATH` or where servers are. */
function find(names: readonly string[]): string | null {
  for (const folder of [...(process.env['PATH'] ?? '').split(delimiter), serverFolder]) {
    for (const name of names) {
      try {
        accessSync(join(folder, name), constants.X_OK)
        return join(folder, name)
      } catch {
        // Not here.
      }
    }
  }
  return null
}

/** The path of the Chromium that is installed on this machine, or null. */
export function findBrowser(): string | null {
  return find(browsers)
}

/**
 * The path of a program that a test needs.
 *
 * @throws Error when it is not there
 */
export function findProgram(name: string): string {
  const path = find([name])
  if (path === null) throw new Error(`there is no ${name}`)
  return path
}

const inFastLane = process.env['TEST_LANE'] === 'fast'
const inCI = !['', '0', 'false'].includes(process.env['CI'] ?? '')

/**
 * What the option `skip` of a test takes that needs all of this: why it is skipped here, or `false` when it runs.
 *
 * @throws Error in CI when something is missing, where a test that is passed by proves nothing to anybody
 */
export function needs(...names: readonly (keyof typeof known)[]): string | false {
  const slow = names.find((name) => known[name].isSlow)
  if (inFastLane && slow !== undefined) return `it needs ${slow}: left out of the fast lane`
  for (const name of names) {
    if (known[name].isHere()) continue
    const told = `it needs ${name}, which is not there; ${known[name].remedy}`
    if (inCI) throw new Error(`a test cannot run: ${told}`)
    return told
  }
  return false
}

/** The same for a test that takes long: it runs in `npm test`, and is left out of the fast lane. `why` says what takes the time. */
export function takesLong(why: string): string | false {
  return inFastLane && `${why}: left out of the fast lane`
}
