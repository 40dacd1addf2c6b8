import { realpathSync } from 'node:fs'
import { basename, join } from 'node:path'
import { compile } from '../loading/compile.js'
import { listConfigurationFiles } from '../loading/find-modules.js'
import { describeThrown, LoadError } from '../loading/load-error.js'
import { findConfigurationLookAlikes } from '../loading/look-alikes.js'
import { runProgram } from '../loading/run-program.js'

/** The settings that an app's configuration file gives, unchecked. */
export interface ConfigurationFile {
  /** The file's name; the usual one when there is no file. */
  readonly name: string
  readonly values: Readonly<Record<string, unknown>>
}

/**
 * Runs the configuration file of an app, if it has one.
 *
 * @throws LoadError when it cannot be compiled or run, exports no object, or when there are several, or one that has
 * nearly its name
 */
export async function loadConfigurationFile(directory: string): Promise<ConfigurationFile> {
  const lookAlikes = await findConfigurationLookAlikes(directory)
  if (lookAlikes.length > 0) throw new LoadError(lookAlikes.join('\n'))
  // That in TypeScript first.
  const present = (await listConfigurationFiles(directory)).map((file) => basename(file)).toReversed()
  const [name, another] = present
  if (name === undefined) return { name: 'rowhouse.config.ts', values: {} }
  if (another !== undefined) throw new LoadError(`there are several configuration files, ${present.join(' and ')}; keep one`)
  const folder = realpathSync(directory)
  const files = [join(folder, name)]
  const program = await compile(folder, files)
  try {
    const [exports] = await runProgram(folder, files, program)
    return { name, values: settingsOf(exports?.['default'], name) }
  } catch (error) {
    throw describeThrown(error, folder)
  }
}

function settingsOf(settings: unknown, name: string): Record<string, unknown> {
  if (typeof settings !== 'object' || settings === null || Array.isArray(settings)) {
    throw new LoadError(`${name} has to export its settings as default: export default defineConfig({ … })`)
  }
  return { ...settings }
}
