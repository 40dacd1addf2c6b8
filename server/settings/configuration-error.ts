/**
 * Mistakes in an app's settings, all of them, one to a line; each line names the setting, where it was set, what was
 * expected and what came.
 */
export class ConfigurationError extends Error {
  override readonly name = 'ConfigurationError'

  constructor(readonly mistakes: readonly string[]) {
    super(mistakes.join('\n'))
  }
}
