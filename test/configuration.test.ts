import t from 'tap'
import { ConfigurationError, createApp } from 'rowhouse'
import { temporaryFolder, type Settings } from './support/app.js'

/** What the settings of an app that must not start are told to have wrong, line by line. */
async function mistakes(directory: string, options: Settings | Readonly<Record<string, unknown>> = {}): Promise<readonly string[]> {
  try {
    await (await createApp({ directory, define: () => undefined, options, logTo: { write: () => undefined } })).close()
  } catch (error) {
    if (error instanceof ConfigurationError) return error.mistakes
    throw error
  }
  throw new Error('it started')
}

t.test('a secret is in no message, whatever is wrong with it', async (t) => {
  const directory = await temporaryFolder(t)
  const secret = '4kR9w_x7Qm2LtZ5vB8nY3cHd'
  for (const wrong of [`${secret}!`, [secret], 1_234_567_890_123_456]) {
    for (const given of [{ private: { accessKey: wrong } }, { private: wrong }]) {
      const told = await mistakes(directory, given)
      t.match(told, [/^private(?:\.accessKey)?: expected .*, got /])
      t.notMatch(told.join('\n'), /4kR9w|1234567/)
    }
  }
})
