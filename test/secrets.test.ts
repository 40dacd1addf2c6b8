import { chmodSync, chownSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { cookies, createApp, route } from 'rowhouse'
import { buildApp, temporaryFolder, type Settings, type TestApp } from './support/app.ts'
import { takesLong } from './support/needs.ts'
import { runRowhouse } from './support/rowhouse-process.ts'

const define = (): void => {
  route('/set', ({ value }) => cookies.local.set('a', value))
  route('/get', () => cookies.local.get('a', 'nothing'))
}

const strong = (digit: string): string => `${digit}bQx3tN7vLp0sKd9Gh2Wm5Yf8Rj1Zc4Ua6EoTi`

async function set({ server }: Pick<TestApp, 'server'>, value: string): Promise<string> {
  const { headers } = await server.inject({ url: `/set?value=${value}` })
  return String(headers['set-cookie']).split(';', 1)[0] ?? ''
}

async function get({ server }: Pick<TestApp, 'server'>, cookie: string): Promise<string> {
  return (await server.inject({ url: '/get', headers: { cookie } })).body
}

/** Starts and closes an app, which makes its data folder, and tells where its secret is. */
async function madeSecret(t: Test): Promise<{ readonly directory: string; readonly file: string }> {
  const { server, directory } = await buildApp(t, define)
  await server.close()
  return { directory, file: join(directory, '.rowhouse', 'secret') }
}

t.test('the first start makes a secret that its owner alone can read, and later ones go on with it', async (t) => {
  const first = await buildApp(t, define)
  const file = join(first.directory, '.rowhouse', 'secret')
  const { mode } = statSync(file)
  t.equal(mode & 0o777, 0o600)
  t.match(readFileSync(file, 'utf8'), /^[\w-]{43}\n$/)
  t.same(readdirSync(join(first.directory, '.rowhouse')).filter((name) => name.startsWith('secret')), ['secret'], 'nothing is left beside it')
  const cookie = await set(first, 'kept')
  await first.server.close()
  const second = await buildApp(t, define, {}, first.directory)
  t.equal(await get(second, cookie), 'kept')
  const other = await buildApp(t, define)
  t.equal(await get(other, cookie), 'nothing', 'another app has another one')
  t.notMatch(second.lines.join(''), readFileSync(file, 'utf8').trim())
})

t.test('a start that was killed while it made the secret is in the way of none after it', async (t) => {
  const { directory, file } = await madeSecret(t)
  renameSync(file, `${file}.new`)
  await buildApp(t, define, {}, directory)
  t.match(readFileSync(file, 'utf8'), /^[\w-]{43}\n$/)
})

t.test('a secret that others could know, or that is damaged, stops the start with one sentence that says what to do', async (t) => {
  const cases: Readonly<Record<string, readonly [change: (file: string) => void, message: RegExp]>> = {
    'readable by the group': [(file) => chmodSync(file, 0o640), /others can read or change the file .*secret with the app's secret \(640\); run chmod 600 on it/],
    'readable by all': [(file) => chmodSync(file, 0o604), /\(604\); run chmod 600/],
    empty: [(file) => writeFileSync(file, ''), /is empty; put it back from a backup, or delete it/],
    damaged: [(file) => writeFileSync(file, `${strong('1')}\nshort\n`), /secret:2: expected a secret of at least 32 letters/],
    'far too long': [(file) => writeFileSync(file, 'x'.repeat(100_000)), /is too long for a file with an app's secret \(100000 bytes\)/],
    'a link': [
      (file) => {
        renameSync(file, `${file}-elsewhere`)
        symlinkSync(`${file}-elsewhere`, file)
      },
      /is a symbolic link where the file with the app's secret has to be; put the file itself there/,
    ],
    'a folder': [
      (file) => {
        rmSync(file)
        mkdirSync(file)
      },
      /is no file, and the app's secret has to be in one/,
    ],
    ...(process.geteuid?.() === 0 && { 'of another user': [(file: string) => chownSync(file, 65_534, 65_534), /belongs to another user \(65534\), who knows it; run chown on it/] as const }),
  }
  for (const [name, [change, message]] of Object.entries(cases)) {
    const { directory, file } = await madeSecret(t)
    change(file)
    await t.rejects(buildApp(t, define, {}, directory), { name: 'SecretError', message }, name)
    const { server } = await buildApp(t, define, { secret: [strong('1')] }, directory)
    await server.close()
    t.pass('with a secret from elsewhere it is not looked at')
  }
})

t.test('several secrets are read, and the first writes', async (t) => {
  const at = (...secret: string[]): Promise<TestApp> => buildApp(t, define, { secret })
  const [one, two, three] = [strong('1'), strong('2'), strong('3')]
  const old = await set(await at(one), 'old')
  const rotated = await at(three, two, one)
  t.equal(await get(rotated, old), 'old')
  const renewed = await set(rotated, 'new')
  t.equal(await get(await at(three), renewed), 'new')
  t.equal(await get(await at(one), renewed), 'nothing')
  t.equal(await get(await at(three, two), old), 'nothing', 'one that is gone is refused')
})

t.test('a secret is set by a variable, commas between several', { skip: takesLong('it starts a process') }, async (t) => {
  const directory = t.testdir({ 'rowhouse.config.ts': 'export default { secret: [] }' })
  t.match(await runRowhouse(t, ['routes', directory]), { code: 1, stderr: 'secret (in rowhouse.config.ts): expected a list, the newest first, with at least one member' })
  const { code, stderr } = await runRowhouse(t, ['routes', t.testdir({ modules: {} })], { env: { NODE_ENV: 'production', ROWHOUSE_SECRET: `${strong('1')}, hunter2` } })
  t.match({ code, stderr }, { code: 1, stderr: 'secret: expected a text that nobody can guess, got member 2, which has 7 characters, and 32 are the least; set it to what "rowhouse secret generate" prints' })
  t.notMatch(stderr, 'hunter2')
})

t.test('production takes no secret that can be guessed, and development does', async (t) => {
  const weak: Readonly<Record<string, RegExp>> = {
    short: /has 5 characters/,
    ['a'.repeat(64)]: /repeats the same characters/,
    ['abc123'.repeat(8)]: /has "abc123"|repeats/,
    ['0123456789'.repeat(4)]: /"123456"/,
    abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOP: /"abcdefg"|is a sequence/,
    zyxwvutsrqponmlkjihgfedcba9876543210ZYXW: /is a sequence/,
    'changeme-changeme-changeme-changeme': /"changeme"/,
    'please-change-this-before-going-live-1': /"change-this"/,
    'my-super-secret-key-for-the-production-x': /"secret"/,
    'example-of-a-key-that-is-long-enough-9876': /"example"/,
    'put-your-own-random-text-in-this-place-42': /"your-"/,
  }
  const before = process.env['NODE_ENV']
  t.teardown(() => (before === undefined ? delete process.env['NODE_ENV'] : (process.env['NODE_ENV'] = before)))
  const start = async (options: Settings): Promise<string> => {
    const lines: string[] = []
    const server = await createApp({ directory: await temporaryFolder(t), define, options: { name: 'test', ...options }, logTo: { write: (line: string) => void lines.push(line) } })
    await server.close()
    return lines.filter((line) => line.includes('nobody can guess')).join('')
  }
  for (const [secret, message] of Object.entries(weak)) {
    process.env['NODE_ENV'] = 'production'
    for (const name of ['secret', 'sharedSecret'] as const) {
      const refused = start({ [name]: [secret] })
      await t.rejects(refused, { name: 'ConfigurationError', message: new RegExp(`^${name}: expected a text that nobody can guess, got one that (?:has )?(?:${message.source})`) }, secret)
      await refused.catch(({ message: told }: Error) => t.notMatch(told, secret))
    }
    process.env['NODE_ENV'] = 'development'
    const warning = await start({ secret: [secret], sharedSecret: [secret, strong('1')] })
    t.match(warning, /^[^\n]*"message":"secret: expected a text that nobody can guess, [^\n]*\. sharedSecret: expected [^\n]*\. Production does not start with it"}\n$/, 'it says so in one line')
    t.notMatch(warning, secret)
    t.equal(await start({ secret: [strong('1')] }), '')
  }
  process.env['NODE_ENV'] = 'production'
  for (const secret of ['9f86d081884c7d659a2feaa0c55ad015', strong('1'), 'a6Bd!kq8 Zp0(vX2 nR7$tM4 wL9&sJ3 y', 'correct horse battery staple luggage tree']) await t.resolves(start({ secret: [secret] }), secret)
  await t.resolves(start({}), 'and one that was made at the first start')
})

t.test('the command makes and rotates secrets', { skip: takesLong('it starts processes') }, async (t) => {
  const generated = await runRowhouse(t, ['secret', 'generate'])
  t.match(generated, { code: 0, stdout: /^[\w-]{43}\n$/ })
  t.not((await runRowhouse(t, ['secret', 'generate'])).stdout, generated.stdout)

  const { directory, file } = await madeSecret(t)
  const data = join(directory, '.rowhouse')
  const stored = (): string[] => readFileSync(file, 'utf8').trim().split('\n')
  const [first = ''] = stored()
  t.match(await runRowhouse(t, ['secret', 'rotate', '--data', data]), { code: 0, stdout: `${file} has a new secret; 1 older one is still read, 0 are forgotten\n` })
  t.equal(stored()[1], first)
  t.match(await runRowhouse(t, ['secret', 'rotate'], { cwd: directory }), { code: 0, stdout: /2 older ones are still read, 0 are forgotten/ })
  const [newest] = stored()
  t.equal(statSync(file).mode & 0o777, 0o600)
  t.match(await runRowhouse(t, ['secret', 'rotate', '--keep', '1', '--data', data]), { code: 0, stdout: /1 older one is still read, 2 are forgotten/ })
  t.same(stored().slice(1), [newest])
  t.match(await runRowhouse(t, ['secret', 'rotate', '--forget', '--data', data]), { code: 0, stdout: /0 older ones are still read, 2 are forgotten/ })
  t.equal(stored().length, 1)
  t.notMatch(stored(), [newest])

  if (process.geteuid?.() === 0) {
    chownSync(file, 65_534, 65_534)
    t.match(await runRowhouse(t, ['secret', 'rotate', '--forget', '--data', data]), { code: 0 })
    t.match(statSync(file), { uid: 65_534, gid: 65_534 }, 'the superuser leaves it to the user of the server')
    chownSync(file, 0, 0)
  }

  const before = stored()
  for (const [words, options, code, message] of [
    [['--data', data], { env: { ROWHOUSE_SECRET: strong('1') } }, 1, /is set by ROWHOUSE_SECRET, so nothing was changed; put what "rowhouse secret generate" prints in front of it/],
    [[], { cwd: directory, env: { ROWHOUSE_SECRET: strong('1') } }, 1, /is set by ROWHOUSE_SECRET/],
    [['--data', join(directory, 'nowhere')], {}, 1, /there is no secret in .*nowhere; name the data folder of the app with --data/],
    [['--data', data, '--keep', 'all'], {}, 2, /Expected a whole number/],
    [['--data', data, '--keep', '1', '--forget'], {}, 1, /give one of them/],
  ] as const) {
    const ended = await runRowhouse(t, ['secret', 'rotate', ...words], options)
    t.equal(ended.code, code)
    t.match(ended.stderr, message)
  }
  writeFileSync(`${file}.new`, '')
  t.match(await runRowhouse(t, ['secret', 'rotate', '--data', data]), { code: 1, stderr: /another process is changing .*secret at this moment; try again/ })
  t.same(stored(), before, 'none of them has changed anything')
  utimesSync(`${file}.new`, 1, 1)
  t.match(await runRowhouse(t, ['secret', 'rotate', '--data', data]), { code: 0 }, 'what a command that was killed has left behind is in nobody’s way')
})

t.test('under load nothing is lost by rotating three times, and a secret that is forgotten counts no more', { skip: takesLong('a server looks once a second for another secret') }, async (t) => {
  const app = await buildApp(t, define)
  const rotate = (...words: string[]): Promise<unknown> => runRowhouse(t, ['secret', 'rotate', '--data', join(app.directory, '.rowhouse'), ...words])
  let isOver = false
  let lost = 0
  let count = 0
  const browse = async (browser: number): Promise<void> => {
    let cookie = await set(app, `${browser}-0`)
    for (let visit = 1; !isOver; visit++) {
      if ((await get(app, cookie)) !== `${browser}-${visit - 1}`) lost++
      cookie = await set(app, `${browser}-${visit}`)
      count++
      await new Promise((resolve) => setTimeout(resolve, 5))
    }
  }
  const old = await set(app, 'old')
  const browsers = Promise.all(Array.from({ length: 10 }, (_, browser) => browse(browser)))
  for (let time = 0; time < 3; time++) await rotate()
  await new Promise((resolve) => setTimeout(resolve, 1100))
  isOver = true
  await browsers
  t.equal(lost, 0)
  t.ok(count > 100, `${count} visits`)
  t.equal(await get(app, old), 'old', 'three rotations later')
  const present = await set(app, 'present')
  await rotate('--keep', '1')
  await new Promise((resolve) => setTimeout(resolve, 1100))
  t.equal(await get(app, old), 'nothing')
  t.equal(await get(app, present), 'present')
  await rotate('--forget')
  await new Promise((resolve) => setTimeout(resolve, 1100))
  t.equal(await get(app, present), 'nothing')
  const latest = await set(app, 'latest')

  const file = join(app.directory, '.rowhouse', 'secret')
  chmodSync(file, 0o644)
  await new Promise((resolve) => setTimeout(resolve, 1100))
  for (let time = 0; time < 3; time++) t.equal(await get(app, latest), 'latest', 'it goes on with what it has')
  rmSync(file)
  await new Promise((resolve) => setTimeout(resolve, 1100))
  for (let time = 0; time < 3; time++) t.equal(await get(app, latest), 'latest')
  const warnings = app.log.filter(({ level }) => level === 40).map(({ message }) => String(message))
  t.equal(warnings.length, 2, 'each is told once')
  t.match(warnings, [/others can read or change the file .*Until then the server goes on/, /the file .*secret with the app's secret is gone; put it back/])
})
