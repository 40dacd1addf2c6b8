import { resolve } from 'node:path'
import { Command, InvalidArgumentError } from 'commander'
import { SecretError } from '../../server/services/secrets/secret-error.js'
import { generateSecret, rotateSecretFile, secretFileIn } from '../../server/services/secrets/secret-file.js'
import { readFolder } from '../folder-argument.js'
import { say } from '../output.js'

interface RotateOptions {
  readonly data?: string
  readonly keep?: number
  readonly forget?: true
}

/** `rowhouse secret`: makes and replaces what cookies are encrypted with, whether or not a server runs. */
export function secretCommand(): Command {
  const secret = new Command('secret').description('make and replace the secret of an app, with which its cookies are encrypted')

  secret
    .command('generate')
    .description('print a new secret, for ROWHOUSE_SECRET or ROWHOUSE_SHARED_SECRET; nothing is changed')
    .action(() => say(generateSecret()))

  secret
    .command('rotate')
    .description('put a new secret in front of those in the data folder; a running server goes by it within a second')
    .option('--keep <number>', 'how many of those that are there stay, so that what they have encrypted is still read; all of them by default', readCount)
    .option('--forget', 'keep none of them: every cookie is refused, as after somebody has seen a secret')
    .option('--data <dir>', 'the data folder, instead of that of the app in the current folder', readFolder)
    .action(async ({ data, keep, forget }: RotateOptions) => {
      if (forget && keep !== undefined) throw new SecretError('--forget keeps none and --keep says how many; give one of them')
      const file = secretFileIn(data === undefined ? await currentData() : await givenData(data))
      const { kept, dropped } = await rotateSecretFile(file, forget ? 0 : (keep ?? Number.POSITIVE_INFINITY))
      say(`${file} has a new secret; ${kept} older ${kept === 1 ? 'one is' : 'ones are'} still read, ${dropped} ${dropped === 1 ? 'is' : 'are'} forgotten`)
    })

  return secret
}

function readCount(text: string): number {
  if (!/^\d{1,6}$/.test(text)) throw new InvalidArgumentError('Expected a whole number from 0 on.')
  return Number(text)
}

async function currentData(): Promise<string> {
  const { loadConfiguration } = await import('../../server/app/configuration/configuration.js')
  const { secret, data } = await loadConfiguration(process.cwd())
  if (secret !== null) throw setElsewhere('ROWHOUSE_SECRET, or "secret" in rowhouse.config.ts')
  return data
}

/** Which app has this folder is not known here; what whoever calls has set for all apps is. */
async function givenData(folder: string): Promise<string> {
  const { readEnvironment } = await import('../../server/settings/environment.js')
  if ((readEnvironment().get('ROWHOUSE_SECRET') ?? '') !== '') throw setElsewhere('ROWHOUSE_SECRET')
  return resolve(folder)
}

function setElsewhere(where: string): SecretError {
  return new SecretError(`the secret of this app is set by ${where}, so nothing was changed; put what "rowhouse secret generate" prints in front of it there, with a comma behind it, and start the app again`)
}
