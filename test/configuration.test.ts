import { chmodSync, existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { ConfigurationError, createApp } from 'rowhouse'
import { outside, temporaryFolder, type Settings } from './support/app.ts'
import { takesLong } from './support/needs.ts'
import { asOrdinaryUser, runRowhouse, startRowhouse, startServer } from './support/rowhouse-process.ts'

const hello = { 'hello.ts': `import { httpEndpoint } from 'rowhouse'\n\nhttpEndpoint('/hello', () => 'Hello')\n` }
const noneLikeIt = 'only settings start with ROWHOUSE_, and docs/configuration.md lists them'
const key = '4kR9w_x7Qm2LtZ5vB8nY3cHd'

/** Removes what the `.env` of an app has set, when the test ends. */
function forget(t: Test, ...names: readonly string[]): void {
  t.teardown(() => {
    for (const name of names) delete process.env[name]
  })
}

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
async function mistakes(
  directory: string,
  options: Settings | Readonly<Record<string, unknown>> = {},
): Promise<readonly string[]> {
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

t.test(
  'a variable that starts with ROWHOUSE_ and is none of ours stops the start, with the nearest that is',
  async (t) => {
    const directory = t.testdir({ modules: hello })
    const env = {
      ROWHOUSE_ACCESS_KEY: key,
      ROWHOUSE_LOG_LEVEL: 'warn',
      rowhouse_port: '1',
      ROWHOUSE_TASK_COLOUR: 'blue',
      ROWHOUSE_BODY_LIMIT: '1 MB',
    }
    const { code, stdout, stderr } = await runRowhouse(t, ['start', directory], { env })
    t.match({ code, stdout }, { code: 1, stdout: '' })
    t.same(stderr.trim().split('\n').toSorted(), [
      'ROWHOUSE_ACCESS_KEY: there is no such environment variable; did you mean ROWHOUSE_PRIVATE_ACCESS_KEY?',
      'ROWHOUSE_BODY_LIMIT: expected a whole number of bytes from 1 to 1073741824, got "1 MB"',
      'ROWHOUSE_LOG_LEVEL: there is no such environment variable; did you mean ROWHOUSE_LOGGING_LEVEL?',
      `ROWHOUSE_TASK_COLOUR: there is no such environment variable; ${noneLikeIt}`,
      'rowhouse_port: there is no such environment variable; did you mean ROWHOUSE_PORT?',
    ])
  },
)

t.test('the nearest variable is one that is spelt nearly so, or the only one with these words', async (t) => {
  const directory = await temporaryFolder(t)
  const nearest = {
    PRIVATE_KEY: 'did you mean ROWHOUSE_PRIVATE_ACCESS_KEY?',
    ACCESSKEY: 'did you mean ROWHOUSE_PRIVATE_ACCESS_KEY?',
    ORIGINS: 'did you mean ROWHOUSE_ORIGIN?',
    LEVEL: 'did you mean ROWHOUSE_LOGGING_LEVEL?',
    PROT: 'did you mean ROWHOUSE_PORT?',
    PASSWORD_HASHING_MEMORY_KIB: 'passwordHashing.memoryKiB is set in rowhouse.config.ts',
    TIMEOUT: noneLikeIt,
    '': noneLikeIt,
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

t.test(
  'what Kubernetes and links of containers set for a service or a container that is called rowhouse is ignored',
  async (t) => {
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
  },
)

t.test('what looks much like that and is not is told all the same', async (t) => {
  const directory = await temporaryFolder(t)
  setVariables(t, {
    ROWHOUSE_DB_PORT: '5432',
    ROWHOUSE_DB_NAME: 'app',
    ROWHOUSE_ENV_NAME: 'production',
    ROWHOUSE_PORT: 'tcp',
    ROWHOUSE_SERVICE_HOSTS: 'a',
    ROWHOUSE_PORT_HTTP: '80',
  })
  const told = await mistakes(directory)
  t.same(told.map((line) => line.replace(/:.*/, '')).toSorted(), [
    'ROWHOUSE_DB_NAME',
    'ROWHOUSE_DB_PORT',
    'ROWHOUSE_ENV_NAME',
    'ROWHOUSE_PORT',
    'ROWHOUSE_PORT_HTTP',
    'ROWHOUSE_SERVICE_HOSTS',
  ])
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

t.test('a port in PORT is where the app answers, and a broken one is told by its name', { skip: takesLong('it runs the command many times') }, async (t) => {
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
    t.match(await runRowhouse(t, ['start', directory], { env: { PORT: port } }), {
      code: 1,
      stdout: '',
      stderr: `PORT: expected a whole number from 0 to 65535, got "${port}"\n`,
    })
  }
})

t.test(
  '.env beside the app is there before anything of the app runs, and the real environment wins',
  { skip: takesLong('it starts servers') },
  async (t) => {
    const directory = t.testdir({
      '.env': [
        '# what this app needs',
        'ROWHOUSE_API_PREFIX=/from-env-file',
        'ROWHOUSE_REALM=from-env-file',
        'ROWHOUSE_DATA=kept',
        'export GREETING = "Good',
        'morning" # to all',
        "PUBLIC='https://example.com'",
        'REAL=from-env-file',
      ].join('\r\n'),
      'rowhouse.config.ts': `export default { apiPrefix: '/from-file', origin: process.env.PUBLIC }`,
      modules: {
        'hello.ts': `import { getAppOrigin, httpEndpoint } from 'rowhouse'
const greeting = process.env['GREETING']
httpEndpoint('/hello', () => [greeting, process.env['REAL'], getAppOrigin('published')])
httpEndpoint('/closed', { authenticateUsers: true }, () => 1)
`,
      },
    })
    const { url } = await startServer(t, directory, [], { env: { REAL: 'real', ROWHOUSE_REALM: 'real' } })
    t.same(await (await fetch(`${url}/from-env-file/hello`)).json(), ['Good\nmorning', 'real', 'https://example.com'])
    t.match((await fetch(`${url}/from-env-file/closed`)).headers.get('www-authenticate'), 'realm="real"')
    t.ok(existsSync(join(directory, 'kept', 'rowhouse.db')), 'a path in it starts at the folder of the app')
  },
)

t.test('rowhouse routes, check and users read .env too', { skip: takesLong('it runs the compiler') }, async (t) => {
  const directory = t.testdir({
    '.env': 'ROWHOUSE_API_PREFIX=/v1\nROWHOUSE_NAME=Shop\nROWHOUSE_DATA=kept\n',
    modules: hello,
  })
  t.match(await runRowhouse(t, ['routes', directory]), { code: 0, stdout: /^GET POST +\/v1\/hello /m })
  t.match(await runRowhouse(t, ['check', await outside(t, directory)]), { code: 0, stdout: 'the settings of Shop are in order' })
  t.match(await runRowhouse(t, ['users', 'list'], { cwd: directory }), {
    code: 1,
    stderr: `there is no database in ${join(directory, 'kept')};`,
  })
})

t.test('mistakes in .env are told with all others, by their place, without secrets', async (t) => {
  const directory = t.testdir({
    '.env': [
      'PORT=eighty',
      'ROWHOUSE_LOG_LEVEL=warn',
      `ROWHOUSE_PRIVATE_ACCESS_KEY=${key}!`,
      'OWN=1',
      'ROWHOUSE_ERRORS=',
      'ROWHOUSE_PORT_3030_TCP_ADDR=a',
    ].join('\n'),
  })
  forget(
    t,
    'PORT',
    'ROWHOUSE_LOG_LEVEL',
    'ROWHOUSE_PRIVATE_ACCESS_KEY',
    'OWN',
    'ROWHOUSE_ERRORS',
    'ROWHOUSE_PORT_3030_TCP_ADDR',
  )
  setVariables(t, { ROWHOUSE_HOST: ' ' })
  const told = await mistakes(directory, { port: -1 })
  t.match(told, [
    'ROWHOUSE_LOG_LEVEL (in .env): there is no such environment variable; did you mean ROWHOUSE_LOGGING_LEVEL?',
    /^ROWHOUSE_PORT_3030_TCP_ADDR \(in \.env\): there is no such environment variable; /,
    /^ROWHOUSE_PRIVATE_ACCESS_KEY \(in \.env\): expected a text of 22 to 128 .* got a text of 25 characters$/,
    'PORT (in .env): expected a whole number from 0 to 65535, got "eighty"',
    'ROWHOUSE_HOST: expected a text of one line, got " "',
    'port: expected a whole number from 0 to 65535, got -1',
  ])
  t.equal(told.length, 6)
})

t.test(
  'an .env that cannot be read, or has a line that sets nothing, stops the start and is not shown',
  { skip: takesLong('it starts a server for each mistake') },
  async (t) => {
    const told = async (contents: string | Buffer): Promise<string> => {
      const directory = t.testdir({})
      writeFileSync(join(directory, '.env'), contents)
      const lines = await mistakes(directory)
      t.equal(lines.length, 1)
      return lines.join()
    }
    const wrong = [
      `ROWHOUSE_PRIVATE_ACCESS_KEY: ${key}`,
      `SECRET`,
      `A="${key}`,
      `A='${key}' b`,
      'A="open\nB=1\nC="x"',
      `=${key}`,
      '"A"=1',
      'two words=1',
    ]
    for (const line of wrong) {
      for (const rest of ['', '\n', '\nB=2\n'])
        t.match(
          await told(`# one\nONE="1\n2"\n \t\n${line}${rest}`),
          /^\.env:5: expected NAME=value or a comment that starts with #, .* not shown, since it may be a secret$/,
          line,
        )
    }
    t.equal(await told(Buffer.from(`\uFEFFA=${key}`, 'utf16le')), '.env is not UTF-8 text; save it as UTF-8')
    t.equal(await told(Buffer.from(`A=${key}`, 'utf16le')), '.env is not UTF-8 text; save it as UTF-8')
    const folder = t.testdir({ '.env': {}, modules: hello })
    t.match(await runRowhouse(t, ['start', folder]), {
      code: 1,
      stdout: '',
      stderr: /^\.env is a folder where a file .*; rename it\n$/,
    })
    const closed = t.testdir({ '.env': 'A=1', modules: hello })
    chmodSync(join(closed, '.env'), 0)
    t.match(await runRowhouse(t, ['start', closed], { through: asOrdinaryUser }), {
      code: 1,
      stdout: '',
      stderr: /^\.env cannot be read \(EACCES\); [^\n]+\n$/,
    })
  },
)

t.test('an .env is read as Node.js reads one: quotes, comments, empty values, a byte order mark', async (t) => {
  const names = ['A', 'B', 'C', 'D', 'E', 'F', 'G']
  forget(t, ...names)
  const directory = t.testdir({
    '.env':
      '\uFEFFA = one # comment\nB="two # \'whole\'\\nlines"\nC=\'a\\nb\'\nD=`"`\nE=\n' +
      '  export F={"a": "b=c"}\n \n#G=7\nG=last # without a line end',
  })
  await configurationOf(directory)
  t.same(Object.fromEntries(names.map((name) => [name, process.env[name]])), {
    A: 'one',
    B: "two # 'whole'\nlines",
    C: 'a\\nb',
    D: '"',
    E: '',
    F: '{"a": "b=c"}',
    G: 'last',
  })
})

t.test('the environment beats .env, with PORT too, and .env beats rowhouse.config.ts', async (t) => {
  const directory = t.testdir({
    '.env': 'ROWHOUSE_PORT=2000\nPORT=1\nROWHOUSE_NAME=env-file\n',
    'rowhouse.config.ts': `export default { port: 1000, name: 'file' }`,
  })
  forget(t, 'ROWHOUSE_PORT', 'PORT', 'ROWHOUSE_NAME')
  t.match(await configurationOf(directory), { port: 2000, name: 'env-file' })
  setVariables(t, { PORT: '3000', ROWHOUSE_NAME: '' })
  t.match(await configurationOf(directory), { port: 3000, name: 'env-file' }, 'an empty variable counts as not set')
  t.match(await configurationOf(directory, { port: 4000, name: 'option' }), { port: 4000, name: 'option' })
})

t.test(
  'several apps in one process: each has the settings of its own .env, and none changes what that of another has set',
  async (t) => {
    const a = t.testdir({
      a: { '.env': 'ROWHOUSE_NAME=a\nROWHOUSE_PRIVATE_ACCESS_KEY=aaaaaaaaaaaaaaaaaaaaaaaa\nSAME=1\nMAILBOX=a\n' },
      b: { '.env': 'ROWHOUSE_NAME=b\nSAME=1\nOWN=b\n' },
      c: { '.env': 'MAILBOX=c\nNEW=c' },
    })
    forget(t, 'ROWHOUSE_NAME', 'ROWHOUSE_PRIVATE_ACCESS_KEY', 'SAME', 'MAILBOX', 'OWN', 'NEW')
    t.match(await configurationOf(join(a, 'a')), { name: 'a', private: { accessKey: 'a'.repeat(24) } })
    t.match(await configurationOf(join(a, 'b')), { name: 'b', private: { accessKey: null } })
    t.match(process.env, { SAME: '1', MAILBOX: 'a', OWN: 'b' })
    t.same(await mistakes(join(a, 'c')), [
      `MAILBOX (in .env): the .env in ${join(a, 'a')} has set another value, and a process has one environment; ` +
        'give both the same, or run each app in a process of its own',
    ])
    t.match(process.env, { MAILBOX: 'a', NEW: undefined })
    writeFileSync(join(a, 'a', '.env'), 'MAILBOX=new\n')
    t.match(
      await configurationOf(join(a, 'a')),
      { name: 'a', private: { accessKey: null } },
      'the same app, started anew',
    )
    t.match(process.env, { MAILBOX: 'new', ROWHOUSE_PRIVATE_ACCESS_KEY: undefined })
  },
)
