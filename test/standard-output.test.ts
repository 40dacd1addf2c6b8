import { execFileSync } from 'node:child_process'
import { closeSync, constants, existsSync, openSync, readFileSync, readSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t, { type Test } from 'tap'
import { needs, takesLong } from './support/needs.ts'
import { plainNode } from './support/plain-node.ts'
import { startRowhouse, startServer, type ProcessOptions, type RowhouseServer } from './support/rowhouse-process.ts'

const api = '/_/api'
const program = fileURLToPath(new URL('../dist/bin/rowhouse.js', import.meta.url))

const modules = {
  'a.ts': `import { httpEndpoint, log } from 'rowhouse'

httpEndpoint('/say/:text', ({ text }) => {
  console.log('from the console')
  console.error('from the console')
  log.info(text)
  return 'said'
})
httpEndpoint('/many/<int:count>', ({ count }) => {
  for (let number = 0; number < count; number++) log.info('line ' + number + ' ' + 'x'.repeat(200))
  return 'said'
})
`,
}

/** Asks until the answer is yes, which has to come soon. */
async function until(condition: () => boolean | Promise<boolean>, what: string): Promise<void> {
  for (const deadline = Date.now() + 20_000; !(await condition()); ) {
    if (Date.now() > deadline) throw new Error(`it did not happen in time: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

/** A server whose standard output goes where the shell is told, and which logs to a file of bare lines too. */
async function startInto(t: Test, directory: string, shell: string, { through = [] }: ProcessOptions = {}): Promise<RowhouseServer> {
  const file = join(directory, 'app.log')
  const server = startRowhouse(t, ['start', directory, '--port', '0'], { env: { ROWHOUSE_LOGGING_FILE: file }, through: [...through, 'sh', '-c', shell, 'sh'] })
  const ready = (): string | undefined => (existsSync(file) ? / is ready at (http:\/\/[^\s"]+)/.exec(readFileSync(file, 'utf8'))?.[1] : undefined)
  await until(() => ready() !== undefined || server.child.exitCode !== null, 'the start')
  return { ...server, url: ready() ?? '' }
}

async function ask({ url }: RowhouseServer, path: string): Promise<string> {
  return (await fetch(url + api + path, { signal: AbortSignal.timeout(20_000) })).text()
}

async function stop(server: RowhouseServer, signal: NodeJS.Signals = 'SIGTERM'): Promise<number | null> {
  server.child.kill(signal)
  return (await server.ended).code
}

/** The messages that are not of requests, starts and stops. */
const linesOf = (text: string): string[] =>
  text.split('\n').flatMap((line) => {
    const message = line.startsWith('{') ? (JSON.parse(line) as { message: string }).message : ''
    return /^(?:line|lost|standard|nobody|\d+ log lines|[a-z]+$)/.test(message) && message !== 'request' && message !== 'stopped' ? [message.trimEnd()] : []
  })

t.test('a full device under standard output is told once on standard error and in the log file; the server answers and stops as ever', { skip: takesLong('it starts a server') || (!existsSync('/dev/full') && 'it needs /dev/full') }, async (t) => {
  const directory = t.testdir({ modules })
  const server = await startInto(t, directory, 'exec "$@" > /dev/full')
  for (let number = 0; number < 60; number++) t.equal(await ask(server, `/say/${'x'.repeat(number)}y`), 'said')
  t.equal(await ask(server, '/many/1000'), 'said')
  t.equal(await stop(server), 0)
  const told = 'standard output cannot be written (ENOSPC); its lines wait until it can'
  t.same(server.output.stderr.split('\n').filter((line) => line !== '' && line !== 'from the console'), [told])
  const file = readFileSync(join(directory, 'app.log'), 'utf8')
  t.equal(file.split(told).length, 2, 'once in the file')
  t.match(file, /"message":"stopped"/)
  t.notOk(existsSync(join(directory, '.rowhouse', 'rowhouse.db-wal')), 'the database was closed')
})

t.test('once a disk has room again the lines that waited are there, whole and in order, and it is told', { skip: takesLong('a full disk is tried again each second') || needs('a small disk') }, async (t) => {
  const directory = t.testdir({
    disk: {},
    modules: {
      ...modules,
      'disk.ts': `import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { httpEndpoint } from 'rowhouse'

const disk = ${JSON.stringify(join(t.testdirName, 'disk'))}
httpEndpoint('/fill', () => {
  try { writeFileSync(disk + '/filler', Buffer.alloc(4 * 1024 * 1024)) } catch (error) { return error.code }
})
httpEndpoint('/free', () => rmSync(disk + '/filler'))
httpEndpoint('/read', () => readFileSync(disk + '/out.log', 'utf8'))
`,
    },
  })
  const disk = join(directory, 'disk')
  const through = ['unshare', '--map-root-user', '--mount', 'sh', '-c', `mount -t tmpfs -o size=8m none ${disk} && exec "$@"`, 'sh']
  const server = await startInto(t, directory, `exec "$@" > ${disk}/out.log`, { through })
  await ask(server, '/say/before')
  await ask(server, '/fill')
  await ask(server, '/fill')
  await ask(server, '/many/20000')
  await until(() => server.output.stderr.includes('standard output cannot be written (ENOSPC)'), 'the failure')
  await ask(server, '/free')
  await until(() => server.output.stderr.includes('standard output can be written again'), 'the recovery')
  let written: string[] = []
  await until(async () => (written = linesOf(await ask(server, '/read'))).includes('standard output can be written again'), 'the lines')
  t.equal(written[0], 'before')
  const numbers = written.flatMap((line) => (line.startsWith('line ') ? [Number(line.split(' ')[1])] : []))
  t.same(numbers, Array.from({ length: 20_000 }, (_, number) => number), 'every line once, in order')
  t.equal(await stop(server), 0)
})

/** A named pipe that somebody has open for reading, who takes nothing until asked to. */
function stalledReader(t: Test, directory: string): { readonly path: string; readonly leave: () => void; readonly readAll: () => string } {
  const path = join(directory, 'pipe')
  if (!existsSync(path)) execFileSync('mkfifo', [path])
  const descriptor = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK)
  let isOpen = true
  const leave = (): void => {
    if (isOpen) closeSync(descriptor)
    isOpen = false
  }
  t.teardown(leave)
  const buffer = Buffer.alloc(1024 * 1024)
  const readAll = (): string => {
    let text = ''
    for (;;) {
      try {
        const length = readSync(descriptor, buffer)
        if (length === 0) return text
        text += buffer.toString('latin1', 0, length)
      } catch {
        return text
      }
    }
  }
  return { path, leave, readAll }
}

t.test('a reader that takes nothing keeps the server neither from answering nor from stopping', { skip: takesLong('it starts a server and waits for its output') }, async (t) => {
  const directory = t.testdir({ modules })
  const { path } = stalledReader(t, directory)
  const server = await startInto(t, directory, `exec "$@" > ${path}`)
  for (let round = 0; round < 5; round++) t.equal(await ask(server, '/many/1000'), 'said')
  t.equal(await stop(server), 0)
  t.notOk(existsSync(join(directory, '.rowhouse', 'rowhouse.db-wal')), 'the database was closed')
  // Node.js gives a child a socket and not a pipe.
  const beside = await startServer(t, directory)
  beside.child.stdout?.pause()
  for (let round = 0; round < 5; round++) t.equal(await ask(beside, '/many/1000'), 'said')
  beside.child.kill('SIGTERM')
  await new Promise((resolve) => beside.child.once('exit', resolve))
  t.equal(beside.child.exitCode, 0)
  beside.child.stdout?.resume()
})

t.test('what a stalled reader cannot take waits to a limit, and what comes then is dropped and counted', { skip: takesLong('it logs a hundred thousand lines') }, async (t) => {
  const directory = t.testdir({ modules })
  const { path, readAll } = stalledReader(t, directory)
  const server = await startInto(t, directory, `exec "$@" > ${path}`)
  const count = 100_000
  t.equal(await ask(server, `/many/${count}`), 'said')
  let text = ''
  const droppedIn = (): number => [...text.matchAll(/"message":"(\d+) log lines were dropped/g)].reduce((sum, [, number]) => sum + Number(number), 0)
  const lines = (): string[] => linesOf(text.slice(0, text.lastIndexOf('\n'))).filter((line) => line.startsWith('line '))
  await until(() => ((text += readAll()), droppedIn() > 0), 'the loss')
  // That of the request may be one of those that are missing.
  const known = lines().length + droppedIn() + (text.includes('"message":"request"') ? 1 : 0)
  t.equal(known, count + 1, `${droppedIn()} were dropped`)
  lines().forEach((line, number) => line.startsWith(`line ${number} `) || t.fail(`${line} is out of order`))
  t.equal(await stop(server), 0)
})

t.test('a reader that goes away is told of, and one that comes later gets whole lines and the number of those that are missing', { skip: takesLong('a failure is tried again each second') }, async (t) => {
  const directory = t.testdir({ modules })
  const first = stalledReader(t, directory)
  const server = await startInto(t, directory, `exec "$@" > ${first.path}`)
  first.leave()
  t.equal(await ask(server, '/say/lost'), 'said')
  await until(() => server.output.stderr.includes('nobody reads standard output any more (EPIPE); its lines are dropped'), 'the failure')
  for (let number = 0; number < 30; number++) t.equal(await ask(server, '/say/lost'), 'said')
  const second = stalledReader(t, directory)
  let text = ''
  await until(async () => (await ask(server, '/say/found'), (text += second.readAll())).includes('can be written again'), 'the recovery')
  for (const line of text.trimEnd().split('\n')) if (line !== 'from the console') t.doesNotThrow(() => JSON.parse(line) as unknown)
  t.match(text, /\d+ log lines were dropped/)
  t.equal(server.output.stderr.match(/nobody reads/g)?.length, 1)
  t.equal(await stop(server), 0)
})

t.test('a server whose terminal is closed finishes as on SIGTERM; one that outlives its terminal serves on', { skip: needs('script') || takesLong('it starts two servers') }, async (t) => {
  const directory = t.testdir({ modules })
  const hungUp = await startServer(t, directory)
  t.equal(await stop(hungUp, 'SIGHUP'), 0)
  t.match(hungUp.output.stdout, /SIGHUP: finishing the requests in flight[^]*"message":"stopped"/)

  const file = join(directory, 'app.log')
  const pidFile = join(directory, 'pid')
  writeFileSync(join(directory, 'start.sh'), `echo $$ > ${pidFile}\nexec setsid ${plainNode().join(' ')} ${program} start ${directory} --port 0\n`)
  const terminal = startRowhouse(t, [], { env: { ROWHOUSE_LOGGING_FILE: file }, through: ['sh', '-c', `exec script -qec "sh ${directory}/start.sh & sleep 100" /dev/null`] })
  const ready = (): string | undefined => (existsSync(file) ? / is ready at (http:\/\/[^\s"]+)/.exec(readFileSync(file, 'utf8'))?.[1] : undefined)
  await until(() => ready() !== undefined, 'the start')
  const server = { ...terminal, url: ready() ?? '' }
  const pid = Number(readFileSync(pidFile, 'utf8'))
  t.teardown(() => {
    try {
      process.kill(pid, 'SIGKILL')
    } catch {
      // It has ended, as it was told to.
    }
  })
  terminal.child.kill('SIGKILL')
  for (let number = 0; number < 5; number++) t.equal(await ask(server, '/say/on'), 'said')
  await until(() => readFileSync(file, 'utf8').includes('standard output cannot be written (EIO)'), 'the failure')
  t.equal(await ask(server, '/say/on'), 'said')
  process.kill(pid, 'SIGTERM')
  await until(() => readFileSync(file, 'utf8').includes('"message":"stopped"'), 'the end')
})
