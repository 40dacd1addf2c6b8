#!/usr/bin/env node
import { readFileSync } from 'node:fs'
import { Command, CommanderError } from 'commander'
import { watchOutput } from './output.js'
import { reportFailure } from './report-failure.js'

/** Each command is loaded when it is asked for: a start should not wait for what it does not use. */
const commands: Readonly<Record<string, () => Promise<Command>>> = {
  start: async () => (await import('./commands/start.js')).startCommand(),
  routes: async () => (await import('./commands/routes.js')).routesCommand(),
  check: async () => (await import('./commands/check.js')).checkCommand(),
  secret: async () => (await import('./commands/secret.js')).secretCommand(),
  users: async () => (await import('./commands/users.js')).usersCommand(),
}

const wrongUse = 2

async function main(words: readonly string[]): Promise<void> {
  const program = new Command('rowhouse')
    .description('The self-hosted app server for TypeScript.')
    .version(readVersion(), '-v, --version', 'tell the version')
    .helpOption('-h, --help', 'tell how a command is used')
    .showSuggestionAfterError()
    .exitOverride()
  const [first = ''] = words
  const loaders = Object.hasOwn(commands, first) ? [commands[first]] : Object.values(commands)
  for (const load of loaders) if (load !== undefined) program.addCommand(inherit(await load(), program))
  await program.parseAsync(words, { from: 'user' })
}

/** A command that was made by itself knows nothing of the settings above. */
function inherit(command: Command, parent: Command): Command {
  command.copyInheritedSettings(parent)
  for (const child of command.commands) inherit(child, command)
  return command
}

function readVersion(): string {
  const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as { version: string }
  return version
}

watchOutput()
try {
  // Before anything native is loaded, which would end an old Node.js without a word.
  await import('../server/app/supported-node.js')
  await main(process.argv.slice(2))
} catch (error) {
  // Commander has said what was wrong; it also throws after it has shown a help text that was asked for, with 0.
  if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? 0 : wrongUse
  else reportFailure(error)
}
