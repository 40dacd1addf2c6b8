/** What the names of Rowhouse's own environment variables start with. */
export const prefix = 'ROWHOUSE_'

/**
 * The environment variables that are about settings: those that start with `ROWHOUSE_`, written in whatever case, and `PORT`. This is the only file that reads the environment,
 * so that everything the outside can change about a process is found by looking at who calls it.
 */
export function readEnvironment(): ReadonlyMap<string, string> {
  return new Map([...everyVariable()].filter(([name]) => isAboutSettings(name)))
}

/** Whether a variable is one of Rowhouse's own, or would be if it were spelt well, and not one that an app may use as it likes. */
function isAboutSettings(name: string): boolean {
  return name.toUpperCase().startsWith(prefix) || name === 'PORT'
}

/** The environment variable of a setting: `apiPrefix` is `ROWHOUSE_API_PREFIX`, `logging.level` is `ROWHOUSE_LOGGING_LEVEL`. */
export function variableName(setting: string): string {
  return prefix + setting.replace('.', '_').replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase()
}

/** Every environment variable with its present value, for whoever has to keep their values out of a text. */
export function everyVariable(): Iterable<readonly [name: string, value: string]> {
  return Object.entries(process.env).filter((entry): entry is [string, string] => entry[1] !== undefined)
}

/** Whether this process is said to serve the public: `NODE_ENV` is what packages, hosts and images of Node.js agree on. */
export function isProduction(): boolean {
  return process.env['NODE_ENV'] === 'production'
}
