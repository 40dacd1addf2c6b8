import t, { type Test } from 'tap'
import { ConfigurationError, createApp } from 'rowhouse'
import { temporaryFolder, type Settings } from './support/app.js'
import { runRowhouse, startRowhouse } from './support/rowhouse-process.js'

const hello = { 'hello.ts': `import { httpEndpoint } from 'rowhouse'\n\nhttpEndpoint('/hello', () => 'Hello')\n` }
const key = '4kR9w_x7Qm2LtZ5vB8nY3cHd'

/** Sets environment variables of this process until the test ends. */
function setVariables(t: Test, variables: Readonly<Record<string, string>>): void {
  for (const [name, value] of Object.entries(variables)) {
    const before = process.env[name]
    process.env[name] = value
    t.teardown(() => {
      if (before === undefined) delete process.env[name]
      else process.env[name] = before
    })
  }
}

/** The settings that an app runs with. */
async function configurationOf(directory: string, options: Settings = {}) {
  const server = await createApp({ directory, define: () => undefined, options, logTo: { write: () => undefined } })
  await server.close()
  return server.rowhouse.configuration
}

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
  for (const wrong of [`${key}!`, [key], 1_234_567_890_123_456]) {
    for (const given of [{ private: { accessKey: wrong } }, { private: wrong }]) {
      const told = await mistakes(directory, given)
      t.match(told, [/^private(?:\.accessKey)?: expected .*, got /])
      t.notMatch(told.join('\n'), /4kR9w|1234567/)
    }
  }
})

t.test('a variable that starts with ROWHOUSE_ and is none of ours stops the start, with the nearest that is; its value is not told', async (t) => {
  const directory = t.testdir({ modules: hello })
  const env = { ROWHOUSE_ACCESS_KEY: key, ROWHOUSE_LOG_LEVEL: 'warn', rowhouse_port: '1', ROWHOUSE_TASK_COLOUR: 'blue', ROWHOUSE_BODY_LIMIT: '1 MB' }
  const { code, stdout, stderr } = await runRowhouse(t, ['start', directory], { env })
  t.match({ code, stdout }, { code: 1, stdout: '' })
  t.same(stderr.trim().split('\n').toSorted(), [
    'ROWHOUSE_ACCESS_KEY: there is no such environment variable; did you mean ROWHOUSE_PRIVATE_ACCESS_KEY?',
    'ROWHOUSE_BODY_LIMIT: expected a whole number of bytes from 1 to 1073741824, got "1 MB"',
    'ROWHOUSE_LOG_LEVEL: there is no such environment variable; did you mean ROWHOUSE_LOGGING_LEVEL?',
    'ROWHOUSE_TASK_COLOUR: there is no such environment variable; names that start with ROWHOUSE_ are those of settings, which docs/configuration.md lists',
    'rowhouse_port: there is no such environment variable; did you mean ROWHOUSE_PORT?',
  ])
})

t.test('the nearest variable is one that is spelt nearly so, or the only one with these words', async (t) => {
  const directory = await temporaryFolder(t)
  const nearest = {
    PRIVATE_KEY: 'did you mean ROWHOUSE_PRIVATE_ACCESS_KEY?',
    ACCESSKEY: 'did you mean ROWHOUSE_PRIVATE_ACCESS_KEY?',
    ORIGINS: 'did you mean ROWHOUSE_ORIGIN?',
    LEVEL: 'did you mean ROWHOUSE_LOGGING_LEVEL?',
    PROT: 'did you mean ROWHOUSE_PORT?',
    PASSWORD_HASHING_MEMORY_KIB: 'passwordHashing.memoryKiB is set in rowhouse.config.ts',
    TIMEOUT: 'names that start with ROWHOUSE_ are those of settings, which docs/configuration.md lists',
    '': 'names that start with ROWHOUSE_ are those of settings, which docs/configuration.md lists',
  }
  for (const [name, sentence] of Object.entries(nearest)) {
    await t.test(`ROWHOUSE_${name}`, async (t) => {
      setVariables(t, { [`ROWHOUSE_${name}`]: key })
      t.same(await mistakes(directory), [`ROWHOUSE_${name}: there is no such environment variable; ${sentence}`])
    })
  }
  setVariables(t, { ROWHOUSE_ACCESS_KEY: '' })
  t.match(await mistakes(directory), [/^ROWHOUSE_ACCESS_KEY: /], 'an empty one may have a value the next time')
})

t.test('what Kubernetes and links of containers set for a service or a container that is called rowhouse is ignored', async (t) => {
  setVariables(t, {
    ROWHOUSE_SERVICE_HOST: '10.0.0.1',
    ROWHOUSE_SERVICE_PORT: '3030',
    ROWHOUSE_SERVICE_PORT_HTTP: '3030',
    ROWHOUSE_PORT: 'tcp://10.0.0.1:3030',
    ROWHOUSE_PORT_3030_TCP: 'tcp://10.0.0.1:3030',
    ROWHOUSE_PORT_3030_TCP_ADDR: '10.0.0.1',
    ROWHOUSE_PORT_3030_TCP_PORT: '3030',
    ROWHOUSE_PORT_3030_TCP_PROTO: 'tcp',
    ROWHOUSE_PORT_3030_TCP_PORT_START: '3030',
    ROWHOUSE_NAME: '/web/rowhouse',
    ROWHOUSE_ENV_NODE_VERSION: '26.10.0',
    ROWHOUSE_ENV_ROWHOUSE_DATA: '/data',
    ROWHOUSE_DB_SERVICE_HOST: '10.0.0.2',
    ROWHOUSE_DB_SERVICE_PORT_SQL: '5432',
    ROWHOUSE_DB_PORT: 'udp://10.0.0.2:5432',
    ROWHOUSE_DB_PORT_5432_UDP_ADDR: '10.0.0.2',
    ROWHOUSE_DB_1_NAME: '/web_1/rowhouse_db_1',
    ROWHOUSE_DB_1_ENV_POSTGRES_PASSWORD: key,
  })
  const directory = t.testdir({ 'package.json': '{ "name": "shop" }' })
  t.match(await configurationOf(directory), { name: 'shop', port: 3030 })
})

t.test('what looks much like that and is not is told all the same', async (t) => {
  const directory = await temporaryFolder(t)
  setVariables(t, { ROWHOUSE_DB_PORT: '5432', ROWHOUSE_DB_NAME: 'app', ROWHOUSE_ENV_NAME: 'production', ROWHOUSE_PORT: 'tcp', ROWHOUSE_SERVICE_HOSTS: 'a', ROWHOUSE_PORT_HTTP: '80' })
  const told = await mistakes(directory)
  t.same(told.map((line) => line.replace(/:.*/, '')).toSorted(), ['ROWHOUSE_DB_NAME', 'ROWHOUSE_DB_PORT', 'ROWHOUSE_ENV_NAME', 'ROWHOUSE_PORT', 'ROWHOUSE_PORT_HTTP', 'ROWHOUSE_SERVICE_HOSTS'])
})

t.test('PORT is the port, ROWHOUSE_PORT beats it, and so does what a program or a flag says', async (t) => {
  const directory = t.testdir({ 'rowhouse.config.ts': 'export default { port: 1000 }' })
  setVariables(t, { PORT: '2000' })
  t.match(await configurationOf(directory), { port: 2000 })
  t.match(await configurationOf(directory, { port: 4000 }), { port: 4000 })
  setVariables(t, { ROWHOUSE_PORT: '' })
  t.match(await configurationOf(directory), { port: 2000 }, 'an empty variable counts as not set')
  setVariables(t, { ROWHOUSE_PORT: 'tcp://10.0.0.1:3030' })
  t.match(await configurationOf(directory), { port: 2000 }, 'nor does what Kubernetes sets')
  setVariables(t, { ROWHOUSE_PORT: '3000' })
  t.match(await configurationOf(directory), { port: 3000 })
  setVariables(t, { PORT: '/dev/ttyUSB0' })
  t.match(await configurationOf(directory), { port: 3000 }, 'PORT may be about something else then')
  setVariables(t, { ROWHOUSE_PORT: '', PORT: '' })
  t.match(await configurationOf(directory), { port: 1000 })
})

t.test('a port in PORT is where the app answers, and a broken one is told by its name', async (t) => {
  const directory = t.testdir({ modules: hello })
  const server = startRowhouse(t, ['start', directory], { env: { PORT: '0' } })
  const url = await new Promise<string>((resolve) => {
    server.child.stdout?.on('data', () => {
      const [, ready] = / is ready at (http:\/\/[^\s"]+)/.exec(server.output.stdout) ?? []
      if (ready !== undefined) resolve(ready)
    })
  })
  t.not(new URL(url).port, '3030')
  t.equal(await (await fetch(`${url}/_/api/hello`)).text(), 'Hello')
  for (const port of ['eighty', '80.5', '65536']) {
    t.match(await runRowhouse(t, ['start', directory], { env: { PORT: port } }), { code: 1, stdout: '', stderr: `PORT: expected a whole number from 0 to 65535, got "${port}"\n` })
  }
})
