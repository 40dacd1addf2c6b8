import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import { Command } from 'commander'
import type { UserRow } from '../../db/users-table.js'
import { readEnvironment, variableName } from '../../server/environment.js'
import type { Users } from '../../server/users/users.js'
import { readNewPassword } from '../password-input.js'

interface DataOptions {
  readonly data: string
}

const passwordHelp = '\nThe password is read from standard input: the first line of a pipe, or typed twice at a terminal.'

/** `rowhouse users`: adds, lists, changes and deletes the users in a data folder, whether or not a server runs on it. */
export function usersCommand(): Command {
  const users = new Command('users').description('add, list, change and delete the users of an app')

  withEmail(users, 'add', 'add a user').addHelpText('after', passwordHelp).action(async (email: string, { data }: DataOptions) => {
    const password = await readNewPassword()
    await withUsers(data, (service) => service.add(email, password), { create: true })
    say(`added ${email}`)
  })

  withData(users.command('list').description('list all users')).option('--json', 'as JSON').action(async ({ data, json }: DataOptions & { json?: true }) => {
    await withUsers(data, (service) => (json ? listAsJson(service.list()) : listAsText(service.list())))
  })

  withEmail(users, 'disable', 'end all access of a user at once').action(async (email: string, { data }: DataOptions) => {
    await withUsers(data, (service) => service.setEnabled(email, false))
    say(`disabled ${email}`)
  })

  withEmail(users, 'enable', 'let a disabled user in again').action(async (email: string, { data }: DataOptions) => {
    await withUsers(data, (service) => service.setEnabled(email, true))
    say(`enabled ${email}`)
  })

  withEmail(users, 'password', 'set the password of a user').addHelpText('after', passwordHelp).action(async (email: string, { data }: DataOptions) => {
    const password = await readNewPassword()
    await withUsers(data, (service) => service.setPassword(email, password))
    say(`changed the password of ${email}`)
  })

  withEmail(users, 'delete', 'delete a user; rows that link to the user behave as their tables declare').action(async (email: string, { data }: DataOptions) => {
    await withUsers(data, (service) => service.remove(email))
    say(`deleted ${email}`)
  })

  return users
}

function withEmail(users: Command, name: string, description: string): Command {
  return withData(users.command(name).description(description).argument('<email>', 'the e-mail address'))
}

function withData(command: Command): Command {
  const data = readEnvironment()[variableName('data')] || '.rowhouse'
  return command.option('--data <dir>', 'the data folder of the app', data)
}

/** There is nothing to work on where the command was told to look. */
class NoDataFolder extends Error {
  override readonly name = 'NoDataFolder'
}

async function withUsers(data: string, work: (users: Users) => Promise<unknown>, { create = false } = {}): Promise<void> {
  const directory = resolve(data)
  if (!create && !existsSync(directory)) {
    throw new NoDataFolder(`there is no data folder ${directory}; name the one of the app with --data, or add a first user with "rowhouse users add"`)
  }
  // Loaded here, so that a help text does not wait for it.
  const [{ openDatabase }, { defineTables }, { platformMigrations }, { Users }] = await Promise.all([
    import('../../db/database.js'),
    import('../../db/define-tables.js'),
    import('../../migrations/index.js'),
    import('../../server/users/users.js'),
  ])
  // The app's own tables and columns are not known here, and left alone.
  const tables = defineTables({})
  const database = await openDatabase({ directory, tables, migrations: platformMigrations, exclusive: false, undeclared: 'ignore', log })
  try {
    await work(new Users({ database }))
  } finally {
    await database.close()
  }
}

const log = {
  info: () => undefined,
  warn: (message: string) => process.stderr.write(`${message}\n`),
  error: (message: string) => process.stderr.write(`${message}\n`),
}

async function listAsText(users: AsyncIterable<UserRow>): Promise<void> {
  printLine('E-MAIL', 'STATUS', 'SIGNED UP', 'LAST LOGIN')
  for await (const { email, enabled, signedUp, lastLogin } of users) printLine(email, enabled ? 'enabled' : 'disabled', toMinute(signedUp), toMinute(lastLogin))
}

/** A JSON array with one user to a line, written as they are read. */
async function listAsJson(users: AsyncIterable<UserRow>): Promise<void> {
  let separator = '[\n'
  for await (const user of users) {
    process.stdout.write(separator + JSON.stringify(user))
    separator = ',\n'
  }
  process.stdout.write(separator === '[\n' ? '[]\n' : '\n]\n')
}

function printLine(email: string, status: string, signedUp: string, lastLogin: string): void {
  say(`${email.padEnd(40)} ${status.padEnd(9)} ${signedUp.padEnd(17)} ${lastLogin}`)
}

/** UTC, as `2026-01-31 09:05Z`. */
function toMinute(instant: Date | null): string {
  return instant === null ? 'never' : `${instant.toISOString().slice(0, 16).replace('T', ' ')}Z`
}

function say(line: string): void {
  process.stdout.write(`${line}\n`)
}
