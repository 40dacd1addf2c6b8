import { Command } from 'commander'

/** `rowhouse check`: finds the mistakes that would stop a start, and those of types, without starting and without touching the data. */
export function checkCommand(): Command {
  return new Command('check')
    .description("check an app's configuration, tables, routes and types without starting it")
    .argument('[dir]', "the app's folder", '.')
    .action(async (directory: string) => {
      const { inspectApp } = await import('../../server/inspect-app.js')
      const { configuration, declarations, endpoints } = await inspectApp(directory)
      say(`configuration: the settings of ${configuration.name} are in order`)
      say(`routes: ${endpoints.length}, none in another's way`)
      say(`tables: ${Object.keys(declarations.tables).join(', ')}`)
      const { checkTypes } = await import('../check-types.js')
      const mistakes = await checkTypes(directory)
      if (mistakes === null) say('types: not checked, because TypeScript is not installed; run npm install --save-dev typescript@6')
      else if (mistakes.length === 0) say('types: in order')
      else throw new TypesError(mistakes)
    })
}

/** Mistakes in the types of an app, one to a line. */
class TypesError extends Error {
  override readonly name = 'TypesError'

  constructor(mistakes: readonly string[]) {
    super(mistakes.join('\n'))
  }
}

function say(line: string): void {
  process.stdout.write(`${line}\n`)
}
