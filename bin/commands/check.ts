import { Command } from 'commander'
import { listModules } from '../../server/app/loading/find-modules.js'
import { reportFailure } from '../report-failure.js'

/** `rowhouse check`: finds the mistakes that would stop a start, and those of types, without starting and without touching the data. */
export function checkCommand(): Command {
  return new Command('check')
    .description("check an app's configuration, tables, routes and types without starting it")
    .argument('[dir]', "the app's folder", '.')
    .action(async (directory: string) => {
      try {
        await checkDeclarations(directory)
      } catch (error) {
        // Types are looked at all the same, so that mistakes do not come one at a time.
        if (!(await hasModules(directory))) throw error
        reportFailure(error)
      }
      await checkAllTypes(directory)
    })
}

async function checkDeclarations(directory: string): Promise<void> {
  const { inspectApp } = await import('../../server/app/inspect-app.js')
  const { configuration, declarations, endpoints } = await inspectApp(directory)
  say(`configuration: the settings of ${configuration.name} are in order`)
  say(`routes: ${endpoints.length}, none in another's way`)
  say(`tables: ${Object.keys(declarations.tables).join(', ')}`)
}

async function hasModules(directory: string): Promise<boolean> {
  return (await listModules(directory).catch(() => [])).length > 0
}

/** @throws TypesError */
async function checkAllTypes(directory: string): Promise<void> {
  const { checkTypes } = await import('../check-types.js')
  const mistakes = await checkTypes(directory)
  if (mistakes === null) say('types: not checked, because TypeScript is not installed; run npm install --save-dev typescript@6')
  else if (mistakes.length === 0) say('types: in order')
  else throw new TypesError(mistakes)
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
