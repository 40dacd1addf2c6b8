/** What the names of Rowhouse's own environment variables start with. */
export const variablePrefix = 'ROWHOUSE_'

/**
 * Variables of this process that a `.env` has set, and the app's folder that it lies in. Kept for the whole process, as
 * an environment is.
 */
const filled = new Map<string, { readonly value: string; readonly folder: string }>()

/**
 * The environment variables that are about settings and that whoever started the process has set: those that start with
 * `ROWHOUSE_`, in whatever case, and `PORT`. This is the only file that reads the environment, so that everything the
 * outside can change about a process is found by looking at who calls it.
 */
export function readEnvironment(): ReadonlyMap<string, string> {
  return aboutSettings([...everyVariable()].filter(([name, value]) => filled.get(name)?.value !== value))
}

/**
 * Those of some variables that {@link readEnvironment} would give: one that an app may use as it likes is none of them.
 */
export function aboutSettings(
  variables: Iterable<readonly [name: string, value: string]>,
): ReadonlyMap<string, string> {
  return new Map([...variables].filter(([name]) => isAboutSettings(name)))
}

/**
 * Sets the variables of an app's `.env` for the code of the app, in place of those that the same folder's has set
 * before. Whatever else is set already stays.
 *
 * A process has one environment: where the `.env` of another app has set a variable to another value, nothing is set.
 *
 * @returns such variables, each with the folder of the other app. None is about settings, which are read for each app
 * by itself.
 */
export function fillEnvironment(folder: string, variables: ReadonlyMap<string, string>): ReadonlyMap<string, string> {
  const earlier = [...filled].filter(([name, { value }]) => process.env[name] === value)
  const others = new Map(earlier.filter(([, by]) => by.folder !== folder))
  const taken = [...variables].filter(
    ([name, value]) => !isAboutSettings(name) && (others.get(name)?.value ?? value) !== value,
  )
  if (taken.length > 0) return new Map(taken.map(([name]) => [name, others.get(name)?.folder ?? '']))
  for (const [name] of earlier.filter(([, by]) => by.folder === folder)) {
    delete process.env[name]
    filled.delete(name)
  }
  for (const [name, value] of variables) {
    if (process.env[name] !== undefined) continue
    process.env[name] = value
    filled.set(name, { value, folder })
  }
  return new Map()
}

function isAboutSettings(name: string): boolean {
  return name.toUpperCase().startsWith(variablePrefix) || name === 'PORT'
}

/**
 * The environment variable of a setting: `apiPrefix` is `ROWHOUSE_API_PREFIX`, `logging.level` is
 * `ROWHOUSE_LOGGING_LEVEL`.
 */
export function variableName(setting: string): string {
  const words = setting.replace('.', '_').replace(/[A-Z]/g, (letter) => `_${letter}`)
  return variablePrefix + words.toUpperCase()
}

/** Every environment variable with its present value, for whoever has to keep their values out of a text. */
export function everyVariable(): Iterable<readonly [name: string, value: string]> {
  return Object.entries(process.env).filter((entry): entry is [string, string] => entry[1] !== undefined)
}

/** Whether this process is said to serve the public: `NODE_ENV` is what packages, hosts and images agree on. */
export function isProduction(): boolean {
  return process.env['NODE_ENV'] === 'production'
}
