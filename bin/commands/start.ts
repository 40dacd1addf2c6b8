import { Command } from 'commander'
import { prepareEsbuild } from '../../server/app/loading/esbuild.js'

interface StartFlags {
  readonly port?: string
  readonly host?: string
  readonly data?: string
  readonly acceptDataLoss?: boolean
}

/** `rowhouse start`: serves an app until the process is told to stop. */
export function startCommand(): Command {
  return new Command('start')
    .description('serve an app until the process is told to stop')
    .argument('[dir]', "the app's folder", '.')
    .option('--port <number>', 'the port to listen on, instead of 3030')
    .option('--host <address>', 'the address to listen on, instead of 127.0.0.1; 0.0.0.0 opens the app to the network')
    .option('--data <dir>', "the data folder, instead of .rowhouse in the app's folder")
    .option('--accept-data-loss', 'start with what is there when the database or its log has been lost')
    .action(async (directory: string, { acceptDataLoss = false, ...flags }: StartFlags) => {
      // The compiler starts in a process of its own; it does so while this one loads the rest. Should it fail, the first use says why.
      const prepared = prepareEsbuild().catch(() => undefined)
      const { serve } = await import('../../server/app/serve.js')
      await prepared
      await serve({ directory, acceptDataLoss, flags })
    })
}
