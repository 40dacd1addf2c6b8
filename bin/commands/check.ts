import { resolve } from 'node:path'
import { Command } from 'commander'
import { listModules } from '../../server/app/loading/find-modules.js'
import { readFolder } from '../folder-argument.js'
import type { NameCheck } from '../misuses/unknown-names.js'
import { say } from '../output.js'
import { reportFailure } from '../report-failure.js'

interface CheckFlags {
  readonly database?: true
  readonly data?: string
}

/** `rowhouse check`: finds the mistakes that would stop a start, and those of types, without starting and without touching the data; or damage in the data. */
export function checkCommand(): Command {
  return new Command('check')
    .description("check an app's configuration, tables, routes and types without starting it")
    .argument('[dir]', "the app's folder", '.')
    .option('--database', 'check the database instead: read all of it and look for damage')
    .option('--data <dir>', "with --database: the data folder, instead of that of the app", readFolder)
    .action(async (directory: string, { database, data }: CheckFlags, command: Command) => {
      if (database === true) return checkData(directory, data)
      if (data !== undefined) command.error("error: option '--data <dir>' is for --database, without which check looks at no data; add --database, or leave --data out")
      let checkName: NameCheck | null = null
      try {
        checkName = await checkDeclarations(directory)
      } catch (error) {
        // Types are looked at all the same, so that mistakes do not come one at a time.
        if (!(await hasModules(directory))) throw error
        reportFailure(error)
      }
      await checkAllTypes(directory, checkName)
    })
}

async function checkData(directory: string, data: string | undefined): Promise<void> {
  const { checkDatabase } = await import('../../db/database.js')
  const folder = data === undefined ? await dataFolderOf(directory) : resolve(data)
  await checkDatabase(folder)
  say(`database: no damage was found in ${folder}`)
}

async function dataFolderOf(directory: string): Promise<string> {
  const { loadConfiguration } = await import('../../server/app/configuration/configuration.js')
  return (await loadConfiguration(directory)).data
}

async function checkDeclarations(directory: string): Promise<NameCheck> {
  const { inspectApp } = await import('../../server/app/inspect-app.js')
  const { configuration, declarations, endpoints, urls } = await inspectApp(directory)
  say(`configuration: the settings of ${configuration.name} are in order`)
  say(`routes: ${endpoints.length}, none in another's way`)
  say(`tables: ${Object.keys(declarations.tables).join(', ')}`)
  return (name) => urls.mistakeIn(name)
}

async function hasModules(directory: string): Promise<boolean> {
  return (await listModules(directory).catch(() => [])).length > 0
}

/** @throws TypesError */
async function checkAllTypes(directory: string, checkName: NameCheck | null): Promise<void> {
  const { checkTypes } = await import('../check-types.js')
  const mistakes = await checkTypes(directory, checkName)
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
