import { Command } from 'commander'
import { TableError } from '../../db/errors/errors.js'
import type { UserRow } from '../../db/schema/users-table.js'
import { escapeControls } from '../../server/logging/escape-controls.js'
import { addAssignment } from '../column-values.js'
import { readFolder } from '../folder-argument.js'
import { print, say } from '../output.js'
import { readNewPassword } from '../password-input.js'
import { withUsers } from '../users-service.js'

interface DataOptions {
  readonly data?: string
}

interface AddOptions extends DataOptions {
  readonly set?: ReadonlyMap<string, string>
}

const passwordHelp = '\nThe password is read from standard input: the first line of a pipe, or typed twice at a terminal.'

/** `rowhouse users`: adds, lists, changes and deletes the users in a data folder, whether or not a server runs on it. */
export function usersCommand(): Command {
  const users = new Command('users').description('add, list, change and delete the users of an app')

  withEmail(users, 'add', 'add a user')
    .option('--set <name=value>', 'a value for a column that the app has added to users; can be given several times', addAssignment)
    .addHelpText('after', passwordHelp)
    .action(async (email: string, options: AddOptions) => say(`added ${await addUser(email, options)}`))

  withData(users.command('list').description('list all users')).option('--json', 'as JSON').action(async ({ data, json }: DataOptions & { json?: true }) => {
    await withUsers({ data }, (service) => (json ? listAsJson(service.list()) : listAsText(service.list())))
  })

  withEmail(users, 'disable', 'end all access of a user at once').action(async (email: string, { data }: DataOptions) => {
    await withUsers({ data }, (service) => service.setEnabled(email, false))
    say(`disabled ${email}`)
  })

  withEmail(users, 'enable', 'let a disabled user in again').action(async (email: string, { data }: DataOptions) => {
    await withUsers({ data }, (service) => service.setEnabled(email, true))
    say(`enabled ${email}`)
  })

  withEmail(users, 'password', 'set the password of a user').addHelpText('after', passwordHelp).action(async (email: string, { data }: DataOptions) => {
    const password = await readNewPassword()
    await withUsers({ data }, (service) => service.setPassword(email, password))
    say(`changed the password of ${email}`)
  })

  withEmail(users, 'delete', 'delete a user; rows that link to the user behave as their tables declare').action(async (email: string, { data }: DataOptions) => {
    await withUsers({ data }, (service) => service.remove(email))
    say(`deleted ${email}`)
  })

  return users
}

function withEmail(users: Command, name: string, description: string): Command {
  return withData(users.command(name).description(description).argument('<email>', 'the e-mail address'))
}

function withData(command: Command): Command {
  return command.option('--data <dir>', 'the data folder, instead of that of the app in the current folder', readFolder)
}

/** Adds to the refusal of the database what can be done about it on a command line. */
class MissingValue extends Error {
  override readonly name = 'MissingValue'
}

async function addUser(email: string, { data, set }: AddOptions): Promise<string> {
  const password = await readNewPassword()
  let added = email
  await withUsers({ data, set, create: true }, async (service, values) => {
    try {
      added = (await service.add(email, password, values)).email
    } catch (error) {
      if (!(error instanceof TableError) || error.code !== 'missing-value') throw error
      throw new MissingValue(`${error.message}; give it one with --set name=value`, { cause: error })
    }
  })
  return added
}

async function listAsText(users: AsyncIterable<UserRow>): Promise<void> {
  await print(toLine('E-MAIL', 'STATUS', 'SIGNED UP', 'LAST LOGIN'))
  for await (const { email, enabled, signedUp, lastLogin } of users) {
    if (!(await print(toLine(email, enabled ? 'enabled' : 'disabled', toMinute(signedUp), toMinute(lastLogin))))) return
  }
}

/** A JSON array with one user to a line, written as they are read. */
async function listAsJson(users: AsyncIterable<UserRow>): Promise<void> {
  let separator = '[\n'
  for await (const user of users) {
    if (!(await print(separator + escapeControls(JSON.stringify(user))))) return
    separator = ',\n'
  }
  await print(separator === '[\n' ? '[]\n' : '\n]\n')
}

function toLine(email: string, status: string, signedUp: string, lastLogin: string): string {
  return `${escapeControls(email).padEnd(40)} ${status.padEnd(9)} ${signedUp.padEnd(17)} ${lastLogin}\n`
}

/** UTC, as `2026-01-31 09:05Z`. */
function toMinute(instant: Date | null): string {
  return instant === null ? 'never' : `${instant.toISOString().slice(0, 16).replace('T', ' ')}Z`
}
