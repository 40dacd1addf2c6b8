import { spawnSync } from 'node:child_process'
import { chmodSync, existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import t, { type Test } from 'tap'
import { settingsByName } from '../dist/server/app/configuration/settings.js'
import { variableName } from '../dist/server/settings/environment.js'
import { outside } from './support/app.ts'
import { takesLong } from './support/needs.ts'
import { asOrdinaryUser, runRowhouse, startServer, type ProcessOptions } from './support/rowhouse-process.ts'

const root = fileURLToPath(new URL('..', import.meta.url))
const todo = join(root, 'examples', 'todo')
const compiles = takesLong('it runs the compiler')
const runsOften = takesLong('it runs the command many times')
const documentation = (name: string) => readFileSync(join(root, 'docs', name), 'utf8')

const hello = { 'hello.ts': `import { httpEndpoint } from 'rowhouse'\n\nhttpEndpoint('/hello', () => 'Hello')\n` }

/** Runs a command that has to fail with one sentence and no stack, and returns that sentence. */
async function failure(t: Test, words: readonly string[], options?: ProcessOptions): Promise<string> {
  const { code, stdout, stderr } = await runRowhouse(t, words, options)
  t.equal(code, 1, 'exit code 1')
  t.notMatch(stdout, /is ready/)
  t.match(stderr, /^[^\n]+\n$/, 'one line on standard error')
  t.notMatch(stderr, /^\s+at |unexpectedly/m, 'no stack')
  return stderr.trim()
}

t.test('every command tells how it is used, and docs/command-line.md has each of its flags', { skip: takesLong('it runs the command for each of its commands') }, async (t) => {
  const { code, stdout } = await runRowhouse(t, ['--help'])
  t.equal(code, 0)
  const commands = [...stdout.matchAll(/^ {2}([a-z]+) /gm)].map(([, name]) => name ?? '').filter((name) => name !== 'help')
  t.same(commands, ['start', 'routes', 'check', 'secret', 'users'])
  for (const command of commands) {
    const help = await runRowhouse(t, [command, '--help'])
    t.equal(help.code, 0)
    t.match(help.stdout, `Usage: rowhouse ${command}`)
    t.match(documentation('command-line.md'), `rowhouse ${command}`)
    const flags = [...help.stdout.matchAll(/--[a-z]+/g)].map(([flag]) => flag)
    t.ok(flags.includes('--help'))
    for (const flag of flags) t.match(documentation('command-line.md') + documentation('users.md'), flag)
  }
})

t.test('a Node.js that is too old is told so in one sentence, by every command and by whoever imports the package, and nothing is loaded that would crash it', { skip: runsOften }, async (t) => {
  const { engines } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { engines: { node: string } }
  t.equal(engines.node, '>=22.15 <23 || >=23.6', 'which are those with Node-API 10 and synchronous hooks')
  const pretend = (node: string, napi: string): string =>
    `--import=data:text/javascript,Object.defineProperty(process,'versions',{value:{...process.versions,node:'${node}',napi:'${napi}'}})`
  const told = (version: string): string =>
    `Rowhouse needs Node.js 22.15 or newer (of Node.js 23, 23.6), and this is ${version}; install a current one and run "npm install" again, or run "npm install node@26" in the app's folder, `
  for (const version of ['18.20.8', '20.20.2', '22.13.1', '23.5.0']) {
    for (const words of [['start'], ['--version'], ['users', 'list']]) {
      const { code, stdout, stderr } = await runRowhouse(t, words, { env: { NODE_OPTIONS: pretend(version, '9'), NODE_NO_WARNINGS: '1' } })
      t.match({ code, stdout, stderr }, { code: 1, stdout: '', stderr: /^[^\n]*\n$/ })
      t.ok(stderr.startsWith(told(version)), stderr)
    }
  }
  const importing = `await import(${JSON.stringify(pathToFileURL(join(root, 'dist/index.js')).href)})`
  const imported = spawnSync(process.execPath, [pretend('20.20.2', '9'), '--input-type=module', '--eval', importing], { encoding: 'utf8' })
  t.equal(imported.status, 1)
  t.ok(imported.stderr.includes(`UnsupportedNode: ${told('20.20.2')}`), imported.stderr)
  const withoutHooks = `${pretend('22.14.0', '10').replaceAll(' ', '')},process.getBuiltinModule('module').registerHooks=undefined`
  t.match(await runRowhouse(t, ['--version'], { env: { NODE_OPTIONS: withoutHooks, NODE_NO_WARNINGS: '1' } }), { code: 1, stdout: '', stderr: told('22.14.0') })
  for (const version of ['22.15.0', '23.6.0', '24.0.0', '26.10.0']) {
    t.match(await runRowhouse(t, ['--version'], { env: { NODE_OPTIONS: pretend(version, '10'), NODE_NO_WARNINGS: '1' } }), { code: 0 })
  }
})

t.test('--version tells the version of the package', async (t) => {
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string }
  t.match(await runRowhouse(t, ['--version']), { code: 0, stdout: `${version}\n` })
})

t.test('an unknown word is answered with the nearest known one, and wrong use ends with 2', { skip: takesLong('it runs the command four times') }, async (t) => {
  t.match(await runRowhouse(t, ['strat', todo]), { code: 2, stdout: '', stderr: /unknown command 'strat'[^]*start/ })
  t.match(await runRowhouse(t, ['start', todo, '--prot', '80']), { code: 2, stdout: '', stderr: /unknown option '--prot'[^]*--port/ })
  t.match(await runRowhouse(t, ['start', todo, 'another']), { code: 2, stdout: '' })
  t.match(await runRowhouse(t, []), { code: 2, stderr: /Usage: rowhouse/ })
})

t.test('a data folder that would not be looked at, or has no name, is wrong use', { skip: runsOften }, async (t) => {
  const directory = t.testdir({})
  const toNoPurpose = /^error: option '--data <dir>' is for --database, without which check looks at no data; add --database, or leave --data out\n$/
  t.match(await runRowhouse(t, ['check', todo, '--data', directory]), { code: 2, stdout: '', stderr: toNoPurpose })
  const nameless = /^error: option '--data <dir>' argument '' is invalid\. Expected a folder\.\n$/
  t.match(await runRowhouse(t, ['check', '--database', '--data', ''], { cwd: directory }), { code: 2, stdout: '', stderr: nameless })
  t.match(await runRowhouse(t, ['users', 'add', 'me@example.com', '--data', ''], { cwd: directory }), { code: 2, stdout: '', stderr: nameless })
  t.same(readdirSync(directory), [])
})

t.test('start says where it answers, and nothing on standard error', { skip: takesLong('it starts a server') }, async (t) => {
  const directory = t.testdir({ modules: hello })
  const server = await startServer(t, directory)
  t.match(server.url, /^http:\/\/127\.0\.0\.1:\d+$/)
  t.equal(await (await fetch(`${server.url}/_/api/hello`)).text(), 'Hello')
  t.ok(existsSync(join(directory, '.rowhouse', 'rowhouse.db')))
  t.equal(server.output.stderr, '')
  for (const line of server.output.stdout.trim().split('\n')) t.doesNotThrow(() => JSON.parse(line) as unknown, 'each log line is JSON')
})

t.test('a flag wins over an environment variable, a variable over rowhouse.config.ts, and that over the default', { skip: takesLong('it starts a server') }, async (t) => {
  const directory = t.testdir({
    modules: hello,
    'rowhouse.config.ts': `import { defineConfig } from 'rowhouse'\nexport default defineConfig({ data: 'from-file', apiPrefix: '/from-file', realm: 'from-file' })\n`,
  })
  const { url } = await startServer(t, directory, ['--data', 'from-flag'], { cwd: directory, env: { ROWHOUSE_DATA: 'from-variable', ROWHOUSE_API_PREFIX: '/from-variable' } })
  t.equal((await fetch(`${url}/from-variable/hello`)).status, 200)
  t.equal((await fetch(`${url}/from-file/hello`)).status, 404)
  t.ok(existsSync(join(directory, 'from-flag', 'rowhouse.db')))
  t.notOk(existsSync(join(directory, 'from-file')))
  t.notOk(existsSync(join(directory, 'from-variable')))
})

t.test('a client that is slow to send its headers, or its body, is sent away when its time is over', { skip: takesLong('it starts a server and waits for its time limits') }, async (t) => {
  const directory = t.testdir({ modules: hello })
  const { url } = await startServer(t, directory, [], { env: { ROWHOUSE_HEADERS_TIMEOUT: '300', ROWHOUSE_REQUEST_TIMEOUT: '600' } })
  const send = (text: string) =>
    new Promise<string>((resolve) => {
      let received = ''
      const socket = connect(Number(new URL(url).port), '127.0.0.1', () => socket.write(text))
      socket.setEncoding('utf8').on('data', (data: string) => (received += data)).on('close', () => resolve(received))
      socket.on('error', () => undefined)
    })
  const half = 'POST /_/api/hello HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n'
  const [headers, body, second, awaited] = await Promise.all([
    send('GET /_/api/hello HTTP/1.1\r\nHost: a'),
    send(`${half}\r\nhalf`),
    send(`GET /_/api/hello HTTP/1.1\r\nHost: a\r\n\r\n${half}\r\nhalf`),
    send(`${half}Expect: 100-continue\r\n\r\nhalf`),
  ])
  t.match(headers, /^HTTP\/1\.1 408 /)
  t.match(body, /^HTTP\/1\.1 408 /)
  t.match(second, /^HTTP\/1\.1 200 [^]*HTTP\/1\.1 408 /, 'on a connection that has been used')
  t.match(awaited, /^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 408 /)
})

t.test('all mistakes in the settings are told at once, each with where it was made, and nothing is started', { skip: takesLong('it runs the command') }, async (t) => {
  const directory = t.testdir({
    modules: hello,
    'rowhouse.config.ts': `export default { prot: 80, origin: 'https://example.com/shop', trustedProxies: ['10.0.0.0/33'], headersTimeout: 40000, passwordHashing: { memoryKiB: 1024 }, logging: { levle: 'warn', file: 7 } }`,
  })
  const { code, stdout, stderr } = await runRowhouse(t, ['start', directory, '--port', 'eighty'], { env: { ROWHOUSE_LOGGING_LEVEL: 'loud', ROWHOUSE_LOGGING_MAX_SIZE: '10 MB', ROWHOUSE_HSOT: '::', ROWHOUSE_SERVICE_HOST: '10.0.0.1' } })
  t.equal(code, 1)
  t.equal(stdout, '')
  const lines = stderr.trim().split('\n')
  for (const expected of [
    /^prot \(in rowhouse\.config\.ts\): there is no such setting; did you mean "port"\?$/,
    /^origin \(in rowhouse\.config\.ts\): expected an origin such as https:\/\/example\.com, or null, got "https:\/\/example\.com\/shop"$/,
    /^trustedProxies \(in rowhouse\.config\.ts\): expected a list, each member an IP address or a network/,
    /^passwordHashing\.memoryKiB \(in rowhouse\.config\.ts\): expected a whole number of KiB from 19456 to \d+, got 1024$/,
    /^logging\.levle \(in rowhouse\.config\.ts\): there is no such setting; did you mean "level"\?$/,
    /^logging\.file \(in rowhouse\.config\.ts\): expected a path, or null, got 7$/,
    /^headersTimeout: expected at most requestTimeout, 30000/,
    /^ROWHOUSE_LOGGING_MAX_SIZE: expected a whole number of bytes from 1 to \d+, got "10 MB"$/,
    /^ROWHOUSE_LOGGING_LEVEL: expected one of trace, debug, info, warn, error, fatal, silent, got "loud"$/,
    /^ROWHOUSE_HSOT: there is no such environment variable; did you mean ROWHOUSE_HOST\?$/,
    /^--port: expected a whole number from 0 to 65535, got "eighty"$/,
  ]) {
    t.ok(lines.some((line) => expected.test(line)), String(expected))
  }
  t.equal(lines.length, 11)
  t.notOk(existsSync(join(directory, '.rowhouse')))
})

t.test('docs/configuration.md lists every setting with its variable and its default, and no other', async (t) => {
  const rows = [...documentation('configuration.md').matchAll(/^\| `([\w.]+)` \| (\S+) \| (.+?) \| (.+) \|$/gm)].map(([, name, variable, fallback, sentence]) => ({ name, variable, fallback, sentence }))
  t.same(rows.map(({ name }) => name), [...settingsByName.keys()])
  for (const { name, variable, fallback, sentence } of rows) {
    const setting = settingsByName.get(name ?? '')
    t.equal(variable, setting?.variable === true ? `\`${variableName(name ?? '')}\`` : 'none', `${name}: variable`)
    if (setting?.default != null) t.equal(fallback, `\`${typeof setting.default === 'string' && !setting.default.includes("'") ? `'${setting.default}'` : JSON.stringify(setting.default)}\``, `${name}: default`)
    t.match(sentence, /\.$/, `${name}: a sentence`)
    t.equal(/\bsecret\b/.test(sentence ?? ''), setting?.secret === true, `${name}: which are secret`)
  }
})

t.test('routes lists what an app answers, and does not touch its data', { skip: takesLong('it runs the command twice') }, async (t) => {
  const directory = t.testdir({
    modules: {
      'b.ts': `import { httpEndpoint, text } from 'rowhouse'\n\nhttpEndpoint('/b/:id', { methods: ['PUT'], authenticateUsers: true, params: { title: text() }, bodyLimit: 10, summary: 'changes b' }, () => 1)\n`,
      'hello.ts': hello['hello.ts'],
    },
  })
  const table = await runRowhouse(t, ['routes', directory])
  t.equal(table.code, 0)
  t.match(table.stdout, /^METHODS +PATH +DOOR +OPTIONS +SOURCE\n/)
  t.match(table.stdout, /^PUT +\/_\/api\/b\/:id +endpoint +authenticateUsers, params: title, bodyLimit: 10 +modules\/b\.ts:3$/m)
  t.match(table.stdout, /^GET POST +\/_\/api\/hello +endpoint +- +modules\/hello\.ts:3$/m)
  t.match(table.stdout, /^GET +\/_\/health\/live +platform/m)
  const json = JSON.parse((await runRowhouse(t, ['routes', directory, '--json'])).stdout) as unknown
  t.match(json, [
    { methods: ['PUT'], path: '/_/api/b/:id', door: 'endpoint', options: { authenticateUsers: true, params: ['title'], body: false, bodyLimit: 10, summary: 'changes b' }, file: 'modules/b.ts', line: 3 },
    { methods: ['GET', 'POST'], path: '/_/api/hello', options: { authenticateUsers: false, params: [], summary: null }, file: 'modules/hello.ts', line: 3 },
    { path: '/_/health/live' },
    { path: '/_/health/ready' },
  ])
  t.notOk(existsSync(join(directory, '.rowhouse')))
})

t.test('routes lists the endpoints of every door, with the place where each is declared', { skip: takesLong('it runs the command twice') }, async (t) => {
  const directory = t.testdir({
    'tables.ts': `import { defineTables, link, table, text } from 'rowhouse'\nexport const tables = defineTables({ tasks: table({ title: text(), owner: link('users') }) })\n`,
    modules: {
      'app.ts': `import { crudEndpoints, httpEndpoint, route } from 'rowhouse'\nimport { tables } from '../tables.js'\n\nhttpEndpoint('/a/<int:id>', () => 1)\n\nroute('/b/<path:rest>', { name: 'rest', methods: ['GET', 'PATCH'] }, () => 1)\ncrudEndpoints('/tasks', tables.tasks, { ownedBy: 'owner', authenticateUsers: true, only: ['list', 'delete'] })\n`,
    },
    pages: { api: { '[...slug].ts': `\nexport const config = { timeout: 5000 }\n\nexport const get = () => 1\n\nasync function remove() {}\nexport { remove as delete }\n` } },
  })
  const { stdout } = await runRowhouse(t, ['routes', directory])
  const rows = stdout.split('\n').map((line) => line.split(/ {2,}/))
  t.same(rows.slice(1, -1), [
    ['GET', '/_/api/tasks', 'endpoint', 'authenticateUsers', 'modules/app.ts:7'],
    ['DELETE', '/_/api/tasks/:id', 'endpoint', 'authenticateUsers', 'modules/app.ts:7'],
    ['GET POST', '/_/api/a/<int:id>', 'endpoint', '-', 'modules/app.ts:4'],
    ['GET', '/_/health/live', 'platform', '-', '-'],
    ['GET', '/_/health/ready', 'platform', '-', '-'],
    ['GET', '/api/[...slug]', 'file', 'timeout: 5000', 'pages/api/[...slug].ts:4'],
    ['DELETE', '/api/[...slug]', 'file', 'timeout: 5000', 'pages/api/[...slug].ts:7'],
    ['GET PATCH', '/b/<path:rest>', 'route', 'name: rest', 'modules/app.ts:6'],
  ].sort((a, b) => ((a[1] ?? '') < (b[1] ?? '') ? -1 : (a[1] ?? '') > (b[1] ?? '') ? 1 : 0)))
  const json = JSON.parse((await runRowhouse(t, ['routes', directory, '--json'])).stdout) as unknown[]
  t.match(json.at(-1), { methods: ['GET', 'PATCH'], path: '/b/<path:rest>', door: 'route', options: { name: 'rest', timeout: 30_000 }, file: 'modules/app.ts', line: 6 })
})

t.test('check finds the to-do example in order', { skip: compiles }, async (t) => {
  t.match(await runRowhouse(t, ['check', todo]), { code: 0, stdout: /configuration: .*\nroutes: .*\ntables: .*\ntypes: in order\n$/, stderr: '' })
})

t.test('check finds mistakes of types that a start would not notice, each with its place, and does not touch the data', { skip: compiles }, async (t) => {
  const directory = t.testdir({
    'tsconfig.json': '{ "compilerOptions": { "strict": true, "module": "nodenext", "target": "es2022", "noEmit": true, "skipLibCheck": true } }',
    'tables.ts': `import { defineTables, table, text } from 'rowhouse'\nexport const tables = defineTables({ tasks: table({ title: text().required() }) })\n`,
    modules: {
      'tasks.ts': `import { httpEndpoint } from 'rowhouse'\nimport { tables } from '../tables.js'\n\nhttpEndpoint('/a', () => tables.tasks.addRow({ titel: 'x' }))\nhttpEndpoint('/b/:id', ({ id }) => id.toFixed())\n`,
    },
  })
  const { code, stderr } = await runRowhouse(t, ['check', directory])
  t.equal(code, 1)
  t.match(stderr, /^modules\/tasks\.ts:4:\d+: .*titel.* \(TS\d+\)\nmodules\/tasks\.ts:5:39: .*toFixed.* \(TS\d+\)\n$/)
  t.notOk(existsSync(join(directory, '.rowhouse')))
})

t.test('check finds writes that nobody waits for, rows that are spread and names that no endpoint has', { skip: compiles }, async (t) => {
  const wrong = `import { httpEndpoint, route, transaction, urlFor, users } from 'rowhouse'
import { tables } from '../tables.js'

route('/articles/<int:id>', function article({ id }) { return urlFor('article', { id }) })
route('/a', () => urlFor('artcle')) //> urlFor(): there is no endpoint called "artcle"; did you mean "article"?
route('/b', ({ kind }) => urlFor(kind === 'a' ? 'article' : 'other', { id: 1 })) //> there is no endpoint called "other"
route('/c', ({ name }) => urlFor(String(name)))
async function audit(title: string) { await tables.tasks.addRow({ title }) }
const tell = async (title: string) => { await audit(title) }
const quiet = async () => 1

httpEndpoint('/wrong', async ({ id }) => {
  const task = await tables.tasks.getById(String(id))
  const all = await tables.tasks.search().all()
  tables.tasks.addRow({ title: 'x' }) //> nobody waits for addRow(), which writes; await it, or say by "void"
  task?.update({ done: true }) //> update()
  if (task) (task.delete()) //> delete()
  task && task.delete() //> delete()
  all.forEach((each) => each.update({ done: true })) //> update()
  all.forEach(async (each) => { await each.delete() }) //> nobody waits for what this function returns
  all.map((each) => each.delete()) //> delete()
  all.map((each) => { return each.delete() }) //> delete()
  Promise.all(all.map((each) => each.delete())) //> delete()
  tables.tasks.search().delete() //> delete()
  tables.tasks.addRows([]).then(() => 1) //> addRows()
  transaction(async () => { await task?.delete() }) //> transaction()
  setTimeout(() => tables.tasks.deleteAllRows(), 1) //> deleteAllRows()
  audit('x') //> audit()
  tell('x') //> tell()
  return { ...task, n: 1 } //> which a spread leaves out; use the plain object that its toJSON() gives
})

httpEndpoint('/spread', async () => {
  const task = await tables.tasks.addRow({ title: 'x' })
  const { title, ...rest } = task //> which a rest leaves out
  const { done } = task
  const entries = Object.entries(task) //> which Object.entries leaves out
  const user = { ...users.getUser() } //> which a spread leaves out
  return { title, rest, done, entries, user, plain: { ...task.toJSON() } }
})

httpEndpoint('/right', async ({ id }) => {
  const task = await tables.tasks.getById(String(id))
  void task?.update({ done: true })
  tables.tasks.addRow({ title: 'x' }).catch(() => undefined)
  const pending = tables.tasks.addRow({ title: 'x' })
  await Promise.all((await tables.tasks.search().all()).map((each) => each.delete()))
  await tables.tasks.search().map((each) => each.delete())
  quiet()
  new Map().delete('x')
  await audit('x')
  await pending
  if (id === '') return task?.delete()
  return transaction(async () => task?.delete())
})
`
  const made = t.testdir({
    'tables.ts': `import { boolean, defineTables, table, text } from 'rowhouse'
export const tables = defineTables({ tasks: table({ title: text().required(), done: boolean() }) })
`,
    modules: { 'wrong.ts': wrong },
  })
  const { code, stderr } = await runRowhouse(t, ['check', await outside(t, made)])
  t.equal(code, 1)
  const announced = wrong.split('\n').flatMap((line, index) => {
    const [, part] = line.split('//> ')
    return part === undefined ? [] : [[index + 1, part] as const]
  })
  const told = stderr.trim().split('\n').map((line) => /^modules\/wrong\.ts:(\d+):\d+: (.*)$/.exec(line))
  t.same(told.map((match) => Number(match?.[1])), announced.map(([line]) => line), 'these lines, in their order')
  for (const [index, [line, part]] of announced.entries()) {
    const sentence = told[index]?.[2]
    t.ok(sentence?.includes(part), `${line}: ${part}`, { sentence })
  }
})

t.test('check tells a mistake in a declaration and those of types together', { skip: compiles }, async (t) => {
  const made = t.testdir({
    modules: {
      'a.ts': `import { httpEndpoint } from 'rowhouse'\nhttpEndpoint('/a', { timeout: 0 }, () => 1)\n`,
      'b.ts': `import { httpEndpoint } from 'rowhouse'\nhttpEndpoint('/b/:id', ({ id }) => id.toFixed())\n`,
    },
  })
  t.match(await runRowhouse(t, ['check', await outside(t, made)]), {
    code: 1,
    stdout: '',
    stderr: /^modules\/a\.ts:2: the endpoint \/a: the option "timeout" takes .*, got 0\nmodules\/b\.ts:2:\d+: .*toFixed.* \(TS\d+\)\n$/,
  })
  const declared = t.testdir({ modules: { 'a.ts': `import { httpEndpoint } from 'rowhouse'\nhttpEndpoint('/a', { timeout: 0 }, () => 1)\n` } })
  t.match(await runRowhouse(t, ['check', await outside(t, declared)]), { code: 1, stdout: 'types: in order\n', stderr: /^modules\/a\.ts:2: .*\n$/ })
  t.match(await runRowhouse(t, ['check', join(root, 'nowhere')]), { code: 1, stdout: '', stderr: /^there is no folder .*\n$/ })
  t.match(await runRowhouse(t, ['check', t.testdir({})]), { code: 1, stdout: '', stderr: /^there is no app in .*\n$/ })
})

t.test('whatever keeps an app from starting is told in one sentence, without a stack, and ends with 1', { skip: runsOften }, async (t) => {
  const app = (source: string) => t.testdir({ modules: { 'a.ts': `import { httpEndpoint } from 'rowhouse'\n${source}\n` } })
  t.match(await failure(t, ['start', app(`httpEndpoint('/a', { params: { title: 42 } }, () => 1)`)]), /^modules\/a\.ts:2: the endpoint \/a: .*title/)
  t.match(await failure(t, ['start', app(`httpEndpoint('/a', { authenticateUser: true }, () => 1)`)]), /^modules\/a\.ts:2: .*unknown option "authenticateUser"; did you mean "authenticateUsers"\?/)
  t.match(await failure(t, ['start', app(`httpEndpoint('/a', () => 1)\nhttpEndpoint('/a', () => 2)`)]), /^modules\/a\.ts:3: .*modules\/a\.ts:2/)
  t.match(await failure(t, ['start', app(`httpEndpoint('/a', () => {`)]), /^modules\/a\.ts:3:\d+: /)
  t.match(await failure(t, ['start', app('void Promise.reject(new Error("nobody waits"))\nawait new Promise((resolve) => setTimeout(resolve, 200))')]), /^modules\/a\.ts:2:\d+: Error: nobody waits$/)
  t.match(await failure(t, ['start', join(root, 'nowhere')]), /^there is no folder /)
  t.match(await failure(t, ['start', t.testdir({})]), /^there is no app in /)
})

t.test('a data folder that cannot be written, or that another server uses, and a damaged database are told in one sentence', { skip: runsOften }, async (t) => {
  const directory = t.testdir({ modules: hello, file: 'a file' })
  const isFile = `${join(directory, 'file')} is a file where a folder for the app's data has to be; move it away, or choose another data folder with --data`
  for (const data of [join(directory, 'file'), join(directory, 'file', 'data')]) t.equal(await failure(t, ['start', directory, '--data', data]), isFile)
  const locked = t.testdir({ modules: hello })
  chmodSync(locked, 0o555)
  t.match(await failure(t, ['start', locked], { through: asOrdinaryUser }), /cannot be written.*EACCES/)
  chmodSync(locked, 0o755)
  const damaged = t.testdir({ modules: hello, '.rowhouse': {} })
  writeFileSync(join(damaged, '.rowhouse', 'rowhouse.db'), 'this is no database, though it is long enough to be looked at: '.repeat(100))
  t.match(await failure(t, ['start', damaged]), /rowhouse\.db/)
  const shared = t.testdir({ modules: hello })
  await startServer(t, shared)
  t.match(await failure(t, ['start', shared, '--port', '0']), /another/)
})

t.test('a port that is in use and a host that is not of this machine are told in one sentence', { skip: runsOften }, async (t) => {
  const directory = t.testdir({ modules: hello })
  const other = createServer().listen(0, '127.0.0.1')
  await new Promise((resolve) => other.once('listening', resolve))
  t.teardown(() => other.close())
  const address = other.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  t.match(await failure(t, ['start', directory, '--port', String(address.port)]), new RegExp(`^port ${address.port} of 127\\.0\\.0\\.1 is in use; .*--port$`))
  t.match(await failure(t, ['start', directory, '--port', '0', '--host', '203.0.113.1']), /^203\.0\.113\.1 is not an address of this machine; .*--host/)
})
