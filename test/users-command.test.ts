import { spawn, spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t, { type Test } from 'tap'
import { basic } from './support/app.js'
import { startServer } from './support/rowhouse-process.js'

const program = fileURLToPath(new URL('../dist/bin/rowhouse.js', import.meta.url))
const password = 'correct horse battery'

/** Runs `rowhouse users` with these words, and `input` on its standard input. */
function run(words: readonly string[], input: string | Uint8Array = '', cwd?: string) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [program, 'users', ...words], { input, cwd, encoding: 'utf8' })
  return { code: status, stdout, stderr }
}

/** A folder with two users. */
function dataWithUsers(t: Test): string {
  const data = join(t.testdir(), 'data')
  for (const email of ['a@x.io', 'b@x.io']) t.strictSame(run(['add', email, '--data', data], `${password}\n`), { code: 0, stdout: `added ${email}\n`, stderr: '' })
  return data
}

const module = `import { httpEndpoint, users } from 'rowhouse'
httpEndpoint('/me', { authenticateUsers: true }, () => users.getUser()?.email)
`

t.test('users are added, listed, changed and deleted beside a running server, which knows on the very next request', async (t) => {
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

t.test('the data folder is .rowhouse where the command runs, unless told otherwise', async (t) => {
  const cwd = t.testdir()
  t.equal(run(['add', 'a@x.io'], password, cwd).code, 0)
  t.ok(existsSync(join(cwd, '.rowhouse')))
  t.match(run(['list'], '', cwd).stdout, 'a@x.io')
})

t.test('a list shows everyone in readable columns, or as JSON, and nothing hidden', async (t) => {
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

t.test('what cannot be done is told in one sentence that never shows the password, with 1, and changes nothing', async (t) => {
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

t.test('a data folder that is not there is told, and only adding makes one', async (t) => {
  const data = join(t.testdir(), 'missing')
  for (const words of [['list'], ['disable', 'a@x.io'], ['password', 'a@x.io']]) {
    const { code, stdout, stderr } = run([...words, '--data', data], password)
    t.strictSame([code, stdout], [1, ''])
    t.match(stderr, `there is no data folder ${data}`)
  }
  t.notOk(existsSync(data))
})

t.test('wrong use ends with 2, and a password is no argument', async (t) => {
  const data = dataWithUsers(t)
  for (const words of [[], ['ad', 'c@x.io'], ['add'], ['add', 'c@x.io', password], ['add', 'c@x.io', '--password', password], ['list', 'extra'], ['list', '--data']]) {
    const { code, stdout } = run(words.length === 0 || words.includes('--data') ? words : [...words, '--data', data], password)
    t.equal(code, 2, words.join(' '))
    t.equal(stdout, '')
  }
  t.notMatch(run(['list', '--data', data]).stdout, 'c@x.io')
})

const hasTerminals = spawnSync('script', ['--version']).status === 0

t.test('at a terminal the password is asked for twice and never shown', { skip: hasTerminals ? false : 'needs script(1) to make a terminal' }, async (t) => {
  const data = dataWithUsers(t)
  /** Types each line when the prompt before it has appeared, and resolves to all that the terminal has shown. */
  const type = (email: string, lines: readonly string[]) =>
    new Promise<{ code: number | null; shown: string }>((resolve) => {
      const command = [process.execPath, program, 'users', 'add', email, '--data', data].map((word) => `'${word}'`).join(' ')
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
