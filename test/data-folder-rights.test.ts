import { chmodSync, chownSync, existsSync, mkdirSync, readdirSync, renameSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { takesLong } from './support/needs.ts'
import { asOrdinaryUser, runRowhouse, startServer } from './support/rowhouse-process.ts'

const modules = { 'a.ts': `import { httpEndpoint, request } from 'rowhouse'\nhttpEndpoint('/length', { methods: ['POST'] }, () => request.body?.length)\n` }
const startsOften = takesLong('it starts several servers')

/** Gives everything to the user as whom a server is started here: the superuser may read what nobody else may. */
function giveAway(path: string): void {
  if (process.getuid?.() === 0) chownSync(path, 65534, 65534)
}

/** An app whose data folder a server has used and left, as an ordinary user. */
async function usedApp(t: Test): Promise<{ readonly directory: string; readonly data: string }> {
  const directory = t.testdir({ modules, data: {} })
  const data = join(directory, 'data')
  chmodSync(data, 0o700)
  giveAway(data)
  const server = await startServer(t, directory, ['--data', data], { through: asOrdinaryUser })
  const large = await fetch(`${server.url}/_/api/length`, { method: 'POST', body: Buffer.alloc(2 * 1024 * 1024) })
  t.equal(await large.text(), String(2 * 1024 * 1024))
  server.child.kill('SIGTERM')
  t.equal((await server.ended).code, 0)
  return { directory, data }
}

/** The one sentence with which a start fails. */
async function refusal(t: Test, directory: string, data: string, env: Readonly<Record<string, string>> = {}): Promise<string> {
  const { code, stderr } = await runRowhouse(t, ['start', directory, '--data', data, '--port', '0'], { through: asOrdinaryUser, env })
  t.equal(code, 1)
  t.match(stderr, /^[^\n]+\n$/, 'one sentence')
  t.notMatch(stderr, /scandir|unexpectedly| at .*:\d/, 'without a stack')
  return stderr
}

t.test('a file or folder in the data folder that is not for this user stops the start with one sentence that names it', { skip: startsOften }, async (t) => {
  const { directory, data } = await usedApp(t)
  // A server that was killed leaves those.
  for (const name of ['rowhouse.db-wal', 'rowhouse.db-shm']) {
    const file = join(data, name)
    if (!existsSync(file)) writeFileSync(file, '')
    giveAway(file)
  }
  for (const name of ['rowhouse.db', 'rowhouse.db-wal', 'rowhouse.db-shm', 'server.lock', 'request-bodies']) {
    chmodSync(join(data, name), 0)
    const said = await refusal(t, directory, data)
    t.match(said, join(data, name))
    t.match(said, /EACCES/)
    t.match(said, /change its owner or permissions|delete it while no server runs/)
    chmodSync(join(data, name), name === 'request-bodies' ? 0o700 : 0o600)
  }
  const log = join(data, 'app.log')
  writeFileSync(log, '', { mode: 0o400 })
  chmodSync(log, 0)
  giveAway(log)
  t.match(await refusal(t, directory, data, { ROWHOUSE_LOGGING_FILE: log }), /^logging\.file: .*app\.log cannot be written \(EACCES\)/)
  chmodSync(data, 0)
  t.match(await refusal(t, directory, data), /cannot be (?:read and )?written.*EACCES/)
  chmodSync(data, 0o700)
  const server = await startServer(t, directory, ['--data', data], { through: asOrdinaryUser })
  t.equal((await fetch(`${server.url}/_/health/ready`)).status, 200, 'nothing of it was changed')
})

t.test('a data folder that everybody can write to is refused, and so is a folder in it; one that a group can write to is not', { skip: startsOften }, async (t) => {
  const { directory, data } = await usedApp(t)
  const bodies = join(data, 'request-bodies')
  for (const [folder, mode] of [[data, 0o777], [data, 0o1777], [data, 0o703], [bodies, 0o777]] as const) {
    chmodSync(folder, mode)
    const said = await refusal(t, directory, data)
    t.match(said, `can write to the folder ${folder} (${mode.toString(8)})`)
    t.match(said, 'run chmod o-w on it')
    chmodSync(folder, 0o700)
  }
  const users = await runRowhouse(t, ['users', 'list', '--data', data], { through: asOrdinaryUser })
  t.equal(users.code, 0)
  chmodSync(data, 0o777)
  t.match(await runRowhouse(t, ['users', 'list', '--data', data], { through: asOrdinaryUser }), { code: 1, stderr: /can write to the folder/ }, 'a command that works on it says so too')
  chmodSync(data, 0o775)
  const server = await startServer(t, directory, ['--data', data], { through: asOrdinaryUser })
  t.equal((await fetch(`${server.url}/_/health/ready`)).status, 200)
})

t.test('a new data folder that everybody can write to is closed if it is empty and belongs to the user of the server, and refused otherwise', { skip: startsOften }, async (t) => {
  const directory = t.testdir({ modules, own: {}, planted: { 'rowhouse.db': '' }, shared: {}, another: {} })
  const own = join(directory, 'own')
  for (const [name, mode] of [['own', 0o777], ['planted', 0o777], ['shared', 0o1777], ['another', 0o2777]] as const) {
    const folder = join(directory, name)
    if (name !== 'another') giveAway(folder)
    chmodSync(folder, mode)
    if (name === 'own' || (name === 'another' && process.getuid?.() !== 0)) continue
    t.match(await refusal(t, directory, folder), `can write to the folder ${folder} (${mode.toString(8)})`)
    t.equal(statSync(folder).mode & 0o7777, mode, 'the folder is as it was')
    t.same(readdirSync(folder), name === 'planted' ? ['rowhouse.db'] : [], 'and so is what is in it')
  }
  const inside = join(directory, 'another', 'app')
  const ofGroup = join(directory, 'group')
  mkdirSync(ofGroup)
  if (process.getuid?.() === 0) chownSync(ofGroup, 0, 65534)
  chmodSync(ofGroup, 0o2775)
  const before = statSync(ofGroup).mode & 0o777
  for (const [data, told, rights] of [[own, true, 0o700], [own, false, 0o700], [inside, false, 0o700], [ofGroup, false, before]] as const) {
    const server = await startServer(t, directory, ['--data', data], { through: asOrdinaryUser })
    t.equal((await fetch(`${server.url}/_/health/ready`)).status, 200)
    t.equal(server.output.stdout.includes(`the folder ${own} was empty, and every user of this machine could write to it (777); now it is for this user alone (700)`), told)
    t.equal(statSync(data).mode & 0o777, rights)
    server.child.kill('SIGTERM')
    await server.ended
  }
})

t.test('a start that is refused for a folder in the data folder has changed nothing there', { skip: startsOften }, async (t) => {
  const directory = t.testdir({ modules, data: { 'request-bodies': '' } })
  const data = join(directory, 'data')
  chmodSync(data, 0o700)
  giveAway(data)
  await refusal(t, directory, data)
  t.same(readdirSync(data), ['request-bodies'])
})

t.test('a link that leads nowhere in place of the data folder, above it or of the log is told with where it leads', { skip: startsOften }, async (t) => {
  const directory = t.testdir({ modules, round: t.fixture('symlink', 'round'), '.rowhouse': t.fixture('symlink', '../unmounted/disk') })
  chmodSync(directory, 0o777)
  const link = join(directory, '.rowhouse')
  const leadsNowhere = `${link} is a symbolic link to ../unmounted/disk, which is not there (ENOENT); put it there, as by mounting its disk, or delete the link`
  for (const data of [link, join(link, 'data')]) t.equal(await refusal(t, directory, data), `${leadsNowhere}, or choose another data folder with --data\n`)
  const round = join(directory, 'round')
  t.match(await refusal(t, directory, round), `${round} is a symbolic link to round, which is not there (ELOOP); `)
  const log = { ROWHOUSE_LOGGING_FILE: join(link, 'app.log') }
  t.equal(await refusal(t, directory, join(directory, 'data'), log), `logging.file: ${leadsNowhere}, or choose another one\n`)
})

t.test('a folder in the data folder that is a link or a file is refused, and nothing is written where the link leads', { skip: startsOften }, async (t) => {
  const { directory, data } = await usedApp(t)
  const bodies = join(data, 'request-bodies')
  const elsewhere = join(directory, 'elsewhere')
  mkdirSync(elsewhere, { mode: 0o700 })
  giveAway(elsewhere)
  renameSync(bodies, join(data, 'old'))
  symlinkSync(elsewhere, bodies)
  t.match(await refusal(t, directory, data), `${bodies} is a symbolic link, through which the server would write somewhere else; delete it`)
  t.same(readdirSync(elsewhere), [])
  renameSync(bodies, join(data, 'link'))
  writeFileSync(bodies, '')
  t.match(await refusal(t, directory, data), `${bodies} is no folder; delete it`)
  const linked = join(directory, 'linked')
  renameSync(bodies, join(data, 'file'))
  symlinkSync(data, linked)
  const server = await startServer(t, directory, ['--data', linked], { through: asOrdinaryUser })
  t.equal((await fetch(`${server.url}/_/health/ready`)).status, 200, 'the data folder itself may be a link')
})

t.test('a file or folder of the app that is not for this user stops the start with one sentence that names it', { skip: startsOften }, async (t) => {
  const { directory, data } = await usedApp(t)
  mkdirSync(join(directory, 'pages'))
  writeFileSync(join(directory, 'tables.ts'), '')
  for (const name of ['modules', 'pages', 'modules/a.ts', 'tables.ts']) {
    const path = join(directory, name)
    chmodSync(path, 0)
    const said = await refusal(t, directory, data)
    t.match(said, name)
    t.match(said, /EACCES|permission denied/)
    t.notMatch(said, '<stdin>')
    chmodSync(path, 0o755)
  }
})
