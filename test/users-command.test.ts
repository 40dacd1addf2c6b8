import { spawn, spawnSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import Database from 'better-sqlite3'
import t, { type Test } from 'tap'
import { basic } from './support/app.ts'
import { needs, takesLong } from './support/needs.ts'
import { plainNode } from './support/plain-node.ts'
import { startServer } from './support/rowhouse-process.ts'
import { tampered } from './support/sqlite-trace.ts'

const program = fileURLToPath(new URL('../dist/bin/rowhouse.js', import.meta.url))
const [node, ...nodeWords] = plainNode()
const password = 'correct horse battery'
const runsOften = takesLong('it runs the command many times')

/** Runs `rowhouse users` with these words, and `input` on its standard input. */
function run(words: readonly string[], input: string | Uint8Array = '', cwd?: string) {
  const { status, stdout, stderr } = spawnSync(node, [...nodeWords, program, 'users', ...words], { input, cwd, encoding: 'utf8' })
  return { code: status, stdout, stderr }
}

/** A folder with two users. */
function dataWithUsers(t: Test): string {
  const data = join(t.testdir(), 'data')
  for (const email of ['a@x.io', 'b@x.io']) {
    const stdout = `${email === 'a@x.io' ? `made a new database in ${data}\n` : ''}added ${email}\n`
    t.strictSame(run(['add', email, '--data', data], `${password}\n`), { code: 0, stdout, stderr: '' })
  }
  return data
}

/** What the columns of the app's own hold in the database, without `settings`. */
function storedUsers(data: string): unknown[] {
  const database = new Database(join(data, 'rowhouse.db'), { readonly: true })
  try {
    return database.prepare('SELECT displayName, age, weight, member, born, joined, nick, colour FROM users').raw().all()
  } finally {
    database.close()
  }
}

const module = `import { httpEndpoint, users } from 'rowhouse'
httpEndpoint('/me', { authenticateUsers: true }, () => users.getUser()?.email)
`

t.test('users are added, listed, changed and deleted beside a running server, which knows on the very next request', { skip: takesLong('it runs the command many times') }, async (t) => {
  const directory = t.testdir({ modules: { 'me.ts': module } })
  const server = await startServer(t, directory)
  const status = async (secret: string) => (await fetch(`${server.url}/_/api/me`, { headers: basic('me@x.io', secret) })).status
  const succeeds = (words: string[], input = '') => t.equal(run([...words, '--data', join(directory, '.rowhouse')], input).stderr, '')
  t.equal(await status(password), 401)
  succeeds(['add', 'me@x.io'], `${password}\n`)
  t.equal(await status(password), 200)
  succeeds(['password', 'me@x.io'], 'another password\r\nand a second line')
  t.equal(await status(password), 401)
  t.equal(await status('another password'), 200)
  succeeds(['disable', 'ME@x.io'])
  t.equal(await status('another password'), 401)
  succeeds(['enable', 'me@x.io'])
  t.equal(await status('another password'), 200)
  succeeds(['delete', 'me@x.io'])
  t.equal(await status('another password'), 401)
})

t.test('the data folder is .rowhouse where the command runs, unless told otherwise', { skip: takesLong('it runs the command twice, which makes a hash') }, async (t) => {
  const cwd = t.testdir()
  t.equal(run(['add', 'a@x.io'], password, cwd).code, 0)
  t.ok(existsSync(join(cwd, '.rowhouse')))
  t.match(run(['list'], '', cwd).stdout, 'a@x.io')
})

t.test("in an app's folder the commands work on the data folder of its configuration, and make no database before the app has made its tables", { skip: runsOften }, async (t) => {
  const cwd = t.testdir({ modules: { 'me.ts': module }, 'rowhouse.config.ts': `export default { data: 'elsewhere' }` })
  const early = run(['add', 'a@x.io'], password, cwd)
  t.strictSame([early.code, early.stdout], [1, ''])
  t.match(early.stderr, /^there is no database in .*elsewhere yet; start the app once with "rowhouse start".*\n$/)
  t.strictSame(readdirSync(cwd).sort(), ['modules', 'rowhouse.config.ts'])
  await startServer(t, cwd)
  t.strictSame(run(['add', 'a@x.io'], password, cwd), { code: 0, stdout: 'added a@x.io\n', stderr: '' })
  t.match(run(['list', '--data', join(cwd, 'elsewhere')]).stdout, 'a@x.io')
  t.notOk(existsSync(join(cwd, '.rowhouse')))
  writeFileSync(join(cwd, 'rowhouse.config.ts'), 'export default { dta: 1 }')
  t.match(run(['list'], '', cwd), { code: 1, stdout: '', stderr: /^dta \(in rowhouse\.config\.ts\): there is no such setting; did you mean "data"\?\n$/ })
})

t.test("columns of the app's own are set by name, in their types; one that is required and missing is named, and nobody is added", { skip: runsOften }, async (t) => {
  const cwd = t.testdir({
    'tables.ts': `import { boolean, date, datetime, defineTables, integer, json, number, text, usersTable } from 'rowhouse'
defineTables({ users: usersTable({ displayName: text().required(), age: integer(), weight: number(), member: boolean(), born: date(), joined: datetime(), nick: text().unique(), settings: json(), colour: text().default('blue').required() }) })
`,
  })
  const server = await startServer(t, cwd)
  const add = (...words: string[]) => run(['add', 'a@x.io', ...words.flatMap((word) => ['--set', word])], password, cwd)
  const fails = (words: string[], sentence: RegExp) => {
    const { code, stdout, stderr } = add(...words)
    t.strictSame([code, stdout], [1, ''], words.join(' '))
    t.match(stderr, sentence)
    t.match(stderr, /^[^\n]+\n$/)
  }
  fails([], /^users\.displayName needs a value, and none was given; give it one with --set name=value$/m)
  fails(['displayNam=x'], /--set takes the columns that the app has added to users, and displayNam is none of them; they are displayName, age, /)
  for (const name of ['id', 'email', 'passwordHash', 'enabled', 'toString']) fails(['displayName=x', `${name}=x`], new RegExp(`${name} is none of them`))
  fails(['displayName=x', 'age=old'], /^users\.age: expected a whole number between -\(2\^53 - 1\) and 2\^53 - 1, got another text$/m)
  fails(['displayName=x', 'age=9007199254740993'], /^users\.age: expected a whole number between/)
  fails(['displayName=x', 'weight=9007199254740993'], /^users\.weight: expected a number that can be kept as it is/)
  fails(['displayName=x', 'joined=2026-02-30T10:00:00Z'], /^users\.joined: expected an instant with its zone/)
  fails(['displayName=x', 'age=1.5'], /^users\.age: expected a whole number/)
  fails(['displayName=x', 'age='], /^users\.age: expected a whole number/)
  fails(['displayName=x', 'member=yes'], /^users\.member: expected true or false/)
  fails(['displayName=x', 'born=2026-02-30'], /^users\.born: expected a date of the calendar/)
  fails(['displayName=x', 'joined=2026-01-31'], /^users\.joined: expected an instant with its zone/)
  fails(['displayName=x', 'settings={}'], /users\.settings is of type json; let the app itself write it/)
  t.strictSame(JSON.parse(run(['list', '--json'], '', cwd).stdout), [], 'nobody was added')
  t.equal(add('displayName').code, 2)
  t.equal(add('displayName=x', 'displayName=y').code, 2)
  const words = ['displayName=A = B', 'age=-3', 'weight=7.5e1', 'member=true', 'born=2000-02-29', 'joined=9999-12-31T23:59:59-01:00', 'nick=a']
  t.strictSame(add(...words), { code: 0, stdout: 'added a@x.io\n', stderr: '' })
  t.match(run(['add', 'b@x.io', '--set', 'displayName=B', '--set', 'nick=a'], password, cwd), { code: 1, stderr: /already has a row with this nick/ })
  server.child.kill('SIGTERM')
  t.match(await server.ended, { code: 0 })
  const again = await startServer(t, cwd)
  again.child.kill('SIGTERM')
  t.match(await again.ended, { code: 0 }, 'the app starts with its tables as they were')
  t.strictSame(storedUsers(join(cwd, '.rowhouse')), [['A = B', -3, 75, 1, '2000-02-29', Date.parse('+010000-01-01T00:59:59Z'), 'a', 'blue']])
})

t.test('an address is stored without the spaces around it, and one with a line end or another control character anywhere, or with a colon, is refused', { skip: runsOften }, async (t) => {
  const data = dataWithUsers(t)
  t.equal(run(['add', '  c@x.io ', '--data', data], password).stdout, 'added c@x.io\n')
  for (const email of ['d@x.io\n', '\td@x.io', 'd@x.io\r\n', 'd@\u0007x.io', 'd@x.io\u2028', '\u001b[31md@x.io', '\ufeffd@x.io', 'a:b@x.io', `${'d'.repeat(250)}@x.io`]) {
    t.match(run(['add', email, '--data', data], password), { code: 1, stdout: '', stderr: /^expected an e-mail address/ }, encodeURIComponent(email))
  }
  const emails = (JSON.parse(run(['list', '--json', '--data', data]).stdout) as { email: string }[]).map(({ email }) => email)
  t.strictSame(emails, ['a@x.io', 'b@x.io', 'c@x.io'])
})

t.test('from elsewhere, passwords are hashed at the cost of the app, and its name is refused as one', { skip: runsOften }, async (t) => {
  const config = `import { defineConfig } from 'rowhouse'
export default defineConfig({ name: 'Corner Shop', passwordHashing: { iterations: 3 } })
`
  const directory = t.testdir({ 'rowhouse.config.ts': config, modules: { 'me.ts': module } })
  const data = join(directory, '.rowhouse')
  const server = await startServer(t, directory)
  t.equal(run(['add', 'me@x.io', '--data', data], password, tmpdir()).stderr, '')
  const hashes = () => {
    const database = new Database(join(data, 'rowhouse.db'), { readonly: true })
    try {
      return database.prepare('SELECT passwordHash FROM users').pluck().all() as string[]
    } finally {
      database.close()
    }
  }
  t.match(hashes(), [/^\$argon2id\$v=19\$m=19456,p=1,t=3\$/])
  const [before] = hashes()
  t.equal(run(['password', 'me@x.io', '--data', data], 'another password', tmpdir()).stderr, '')
  t.match(hashes(), [/,t=3\$/])
  t.notSame(hashes(), [before])
  t.match(run(['password', 'me@x.io', '--data', data], 'cornershop2024', tmpdir()), { code: 1, stdout: '', stderr: /may not be the name of the app/ })
  t.equal((await fetch(`${server.url}/_/api/me`, { headers: basic('me@x.io', 'another password') })).status, 200)
})

t.test('a list shows everyone in readable columns, or as JSON, and nothing hidden', { skip: runsOften }, async (t) => {
  const data = dataWithUsers(t)
  run(['disable', 'b@x.io', '--data', data])
  const text = run(['list', '--data', data])
  t.match(text, { code: 0, stderr: '' })
  t.match(text.stdout, /^E-MAIL +STATUS +SIGNED UP +LAST LOGIN\na@x\.io +enabled +\d{4}-\d\d-\d\d \d\d:\d\dZ +never\nb@x\.io +disabled +\d{4}-\d\d-\d\d \d\d:\d\dZ +never\n$/)
  const json = run(['list', '--json', '--data', data])
  t.match(JSON.parse(json.stdout), [{ email: 'a@x.io', enabled: true, lastLogin: null, id: /^\[\d+,1\]$/ }, { email: 'b@x.io', enabled: false }])
  for (const { stdout } of [text, json]) t.notMatch(stdout, /argon2|passwordHash|emailKey|sessionEpoch/)
  for (const email of ['a@x.io', 'b@x.io']) run(['delete', email, '--data', data])
  t.strictSame(JSON.parse(run(['list', '--json', '--data', data]).stdout), [])
})

t.test('what cannot be done is told in one sentence that never shows the password, with 1, and changes nothing', { skip: runsOften }, async (t) => {
  const data = dataWithUsers(t)
  const before = run(['list', '--json', '--data', data]).stdout
  const fails = (words: string[], input: string | Uint8Array, sentence: RegExp) => {
    const { code, stdout, stderr } = run([...words, '--data', data], input)
    t.equal(code, 1, words.join(' '))
    t.equal(stdout, '')
    t.match(stderr, sentence)
    t.match(stderr, /^[^\n]+\n$/)
    t.notMatch(stderr, /Seekret|password1/)
  }
  fails(['add', 'A@X.io'], password, /already a user/)
  fails(['add', 'nobody'], password, /e-mail address such as/)
  fails(['add', 'c@x.io'], 'Seekret', /at least 8 characters, got 7/)
  fails(['add', 'c@x.io'], `Seekret${'x'.repeat(250)}`, /at most 256 characters, got 257/)
  fails(['add', 'c@x.io'], 'Seekret\tSeekret', /control characters/)
  fails(['add', 'c@x.io'], 'Password1', /commonest/)
  fails(['add', 'c@x.io'], 'C@x.io', /at least 8|may not be the e-mail/)
  fails(['add', 'c@x.io'], '', /no password came on standard input/)
  fails(['add', 'c@x.io'], '\nSeekretSeekret', /no password came on standard input/)
  fails(['add', 'c@x.io'], Buffer.from([0xff, 0xfe, 0x53, 0x65]), /not UTF-8/)
  fails(['add', 'c@x.io'], 'Seekret'.repeat(20_000), /too long/)
  for (const command of ['disable', 'enable', 'delete', 'password']) fails([command, 'c@x.io'], password, /no user with this e-mail address/)
  t.equal(run(['list', '--json', '--data', data]).stdout, before)
})

t.test('a folder without a database is told, and only adding makes one', { skip: runsOften }, async (t) => {
  const empty = t.testdir({ folder: {}, file: '' })
  for (const data of [join(empty, 'missing'), join(empty, 'folder')]) {
    for (const words of [['list'], ['disable', 'a@x.io'], ['password', 'a@x.io'], ['delete', 'a@x.io'], ['add', 'a@x.io', '--set', 'name=x']]) {
      const { code, stdout, stderr } = run([...words, '--data', data], password)
      t.strictSame([code, stdout], [1, ''])
      t.match(stderr, `there is no database in ${data}; `)
    }
  }
  t.match(run(['list', '--data', join(empty, 'file')]), { code: 1, stdout: '', stderr: /file is a file where a folder for the app's data has to be/ })
  t.strictSame(readdirSync(empty).sort(), ['file', 'folder'])
  t.strictSame(readdirSync(join(empty, 'folder')), [])
})

t.test('a sync that fails is told once and ends the command with 1, without claiming that it did anything and without writing more', { skip: needs('strace') }, async (t) => {
  const data = dataWithUsers(t)
  const log = join(data, 'rowhouse.db-wal')
  const before = readFileSync(join(data, 'rowhouse.db'))
  // The first sync belongs to the opening.
  const [command, words] = tampered(['-e', 'trace=fdatasync', '-P', log, '-e', 'inject=fdatasync:error=EIO:when=2+'], [...plainNode(), program, 'users', 'add', 'c@x.io', '--data', data])
  // Each thread has its own count of calls.
  const env = { ...process.env, UV_THREADPOOL_SIZE: '1' }
  const { status, stdout, stderr } = spawnSync(command, words, { input: password, encoding: 'utf8', env })
  t.equal(status, 1)
  t.equal(stdout, '')
  t.match(stderr, /^the disk refused to store what was written \(EIO\)[^\n]+\n$/)
  t.ok(readFileSync(log).length > 0, 'the log is left for the next start to verify')
  t.ok(before.equals(readFileSync(join(data, 'rowhouse.db'))), 'and not moved into the database')
})

t.test('wrong use ends with 2, and a password is no argument', { skip: runsOften }, async (t) => {
  const data = dataWithUsers(t)
  for (const words of [[], ['ad', 'c@x.io'], ['add'], ['add', 'c@x.io', password], ['add', 'c@x.io', '--password', password], ['list', 'extra'], ['list', '--data']]) {
    const { code, stdout } = run(words.length === 0 || words.includes('--data') ? words : [...words, '--data', data], password)
    t.equal(code, 2, words.join(' '))
    t.equal(stdout, '')
  }
  t.notMatch(run(['list', '--data', data]).stdout, 'c@x.io')
})

t.test('at a terminal the password is asked for twice and never shown', { skip: runsOften || needs('script') }, async (t) => {
  const data = dataWithUsers(t)
  /** Types each line when the prompt before it has appeared, and resolves to all that the terminal has shown. */
  const type = (email: string, lines: readonly string[]) =>
    new Promise<{ code: number | null; shown: string }>((resolve) => {
      const command = [...plainNode(), program, 'users', 'add', email, '--data', data].map((word) => `'${word}'`).join(' ')
      const child = spawn('script', ['--quiet', '--return', '--command', command, '/dev/null'])
      const left = [...lines]
      let shown = ''
      let answered = 0
      child.stdout.setEncoding('utf8').on('data', (text: string) => {
        shown += text
        if (shown.slice(answered).includes(': ') && left.length > 0) {
          answered = shown.length
          child.stdin.write(left.shift() ?? '')
        }
      })
      child.once('close', (code) => resolve({ code, shown }))
    })
  const added = await type('typed@x.io', [`${password}x\u007f\r`, `${password}\r`])
  t.equal(added.code, 0, 'what was typed wrongly can be deleted')
  t.equal(added.shown.replaceAll('\r', ''), 'Password: \nThe same again: \nadded typed@x.io\n')
  const differ = await type('other@x.io', [`${password}\r`, `${password}!\r`])
  t.equal(differ.code, 1)
  t.match(differ.shown, 'the two passwords differ')
  const given = await type('other@x.io', ['\u0003'])
  t.equal(given.code, 1)
  t.match(given.shown, 'no password was given')
  for (const { shown } of [added, differ, given]) t.notMatch(shown, 'horse')
  t.match(run(['list', '--data', data]).stdout, 'typed@x.io')
  t.notMatch(run(['list', '--data', data]).stdout, 'other@x.io')
})
