const prefix = 'ROWHOUSE_'

/**
 * The environment variables of Rowhouse: those that start with `ROWHOUSE_`. This is the only file that reads the environment,
 * so that everything the outside can change about a process is found by looking at who calls it.
 */
export function readEnvironment(): Readonly<Record<string, string>> {
  const variables: Record<string, string> = {}
  for (const [name, value] of Object.entries(process.env)) {
    if (name.startsWith(prefix) && value !== undefined) variables[name] = value
  }
  return variables
}

/** The environment variable of a setting: `apiPrefix` is `ROWHOUSE_API_PREFIX`, `logging.level` is `ROWHOUSE_LOGGING_LEVEL`. */
export function variableName(setting: string): string {
  return prefix + setting.replace('.', '_').replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase()
}
