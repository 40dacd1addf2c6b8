import { execFile, spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, readdir, readFile, symlink, writeFile } from 'node:fs/promises'
import { createServer, type AddressInfo } from 'node:net'
import { basename, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import t from 'tap'
import ts from 'typescript'
import * as rowhouse from 'rowhouse'
import { errorCodes } from '../dist/server/errors/error-codes.js'
import { temporaryFolder } from './support/app.js'

const run = promisify(execFile)
const root = fileURLToPath(new URL('..', import.meta.url))
const read = (file: string): Promise<string> => readFile(join(root, file), 'utf8')

/** The package is compiled already, and what holds for installing its own dependencies does not hold in somebody else's folder. */
const npmSettings = { npm_config_offline: 'true', npm_config_ignore_scripts: 'true', npm_config_strict_allow_scripts: 'false' }

/** A fenced block of a page. */
interface Block {
  readonly language: string
  readonly text: string
}

function blocksOf(markdown: string): Block[] {
  return [...markdown.matchAll(/^```(\w+)\n([\s\S]*?)^```$/gm)].map(([, language = '', text = '']) => ({ language, text }))
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

/** The server of the tutorial, as `npx rowhouse start` runs it. */
class TutorialServer {
  readonly #folder: string
  readonly #port: number
  #child: ChildProcess | null = null

  constructor(folder: string, port: number) {
    this.#folder = folder
    this.#port = port
  }

  async start(): Promise<void> {
    const child = spawn('npx', ['rowhouse', 'start'], { cwd: this.#folder, env: { ...process.env, ROWHOUSE_PORT: String(this.#port) }, stdio: ['ignore', 'pipe', 'inherit'], detached: true })
    this.#child = child
    for await (const chunk of child.stdout.iterator({ destroyOnReturn: false })) if (String(chunk).includes('is ready at')) break
    child.stdout.resume()
  }

  async stop(): Promise<void> {
    const child = this.#child
    this.#child = null
    if (child?.pid === undefined || child.exitCode !== null) return
    const ended = once(child, 'exit')
    // npx runs the command in a child of its own; both are in a group, as in a terminal.
    process.kill(-child.pid, 'SIGINT')
    await ended
  }
}

t.test("the README's tutorial does what it says, from an empty folder to the last answer", { timeout: 120_000 }, async (t) => {
  const [, tutorial = ''] = (await read('README.md')).split('## Tutorial')
  const parent = await temporaryFolder(t)
  await symlink(root, join(parent, 'rowhouse'))
  const folder = join(parent, 'my-todo')
  const port = await freePort()
  const server = new TutorialServer(folder, port)
  t.teardown(() => server.stop())
  let mustRestart = false
  const shell = async (command: string, cwd: string): Promise<string> => (await run('bash', ['-c', command.replaceAll(':3030', `:${port}`)], { cwd, env: { ...process.env, ...npmSettings } })).stdout

  for (const { language, text } of blocksOf(tutorial.split('## Where to go on')[0] ?? '')) {
    if (language === 'ts') {
      const [, name = ''] = /^\/\/ (\S+)\n/.exec(text) ?? []
      t.not(name, '', 'a block of code says which file it is')
      await mkdir(dirname(join(folder, name)), { recursive: true })
      await writeFile(join(folder, name), text)
      mustRestart = true
    } else if (language === 'sh') {
      if (text.trim() === 'npx rowhouse start') continue
      await shell(text, text.startsWith('mkdir') ? parent : folder)
    } else if (language === 'console') {
      if (mustRestart) {
        await server.stop()
        await server.start()
        mustRestart = false
      }
      for (const part of text.split(/^\$ /m).slice(1)) {
        const [command = '', ...expected] = part.split('\n')
        t.equal((await shell(command.replace(/^curl /, 'curl -s '), folder)).trimEnd(), expected.join('\n').trimEnd(), command)
      }
    }
  }
  const example = async (file: string): Promise<string> => read(join('examples/todo', file))
  for (const file of ['tables.ts', 'modules/tasks.ts']) {
    t.equal((await readFile(join(folder, file), 'utf8')).replace(/^\/\/ .*\n/, ''), await example(file), `${file} is the example's`)
  }
  const lines = (await Promise.all(['tables.ts', 'modules/tasks.ts'].map(example))).join('').split('\n').filter((line) => line.trim() !== '' && !line.startsWith('import'))
  t.ok(lines.length <= 30, `the whole API is ${lines.length} lines beside its imports`)
})

t.test("the README's two commands are what package.json has, and every page it names is there", async (t) => {
  const readme = await read('README.md')
  const { scripts } = JSON.parse(await read('package.json')) as { scripts: Record<string, string> }
  t.match(readme, '```sh\nnpm ci && npm start\n```')
  t.match(readme, '```sh\nnpm ci && npm test\n```')
  t.match(scripts, { start: /examples\/todo/, test: /tap/, prepare: /build/ })
  t.match(readme, 'npm run --silent rowhouse -- users add')
  const { stdout } = await run('npm', ['run', '--silent', 'rowhouse', '--', 'users', '--help'], { cwd: root })
  t.match(stdout, 'add')
  for (const [, page = ''] of readme.matchAll(/\]\((docs\/[^)]+)\)/g)) await t.resolves(read(page), page)
})

t.test('every block of TypeScript in the docs compiles as it stands', async (t) => {
  const folder = await temporaryFolder(t)
  const pages = (await readdir(join(root, 'docs'))).filter((page) => page.endsWith('.md'))
  const files: string[] = []
  for (const page of pages) {
    for (const [index, { language, text }] of blocksOf(await read(join('docs', page))).entries()) {
      if (language !== 'ts') continue
      const [, name = `modules/${index}.ts`] = /^\/\/ (\S+\.ts)\n/.exec(text) ?? []
      const file = join(folder, basename(page, '.md'), name)
      await mkdir(dirname(file), { recursive: true })
      await writeFile(file, `${text}\nexport {}\n`)
      files.push(file)
    }
  }
  const program = ts.createProgram(files, {
    target: ts.ScriptTarget.ES2022,
    module: ts.ModuleKind.NodeNext,
    moduleResolution: ts.ModuleResolutionKind.NodeNext,
    strict: true,
    noEmit: true,
    skipLibCheck: true,
    types: ['node'],
    typeRoots: [join(root, 'node_modules/@types')],
    paths: { rowhouse: [join(root, 'dist/index.d.ts')] },
  })
  t.ok(files.length > 5)
  t.same(
    ts.getPreEmitDiagnostics(program).map(({ file, messageText, start }) => `${basename(file?.fileName ?? '')} ${file?.text.slice(start, (start ?? 0) + 60).split('\n')[0]}: ${ts.flattenDiagnosticMessageText(messageText, ' ')}`),
    [],
  )
})

t.test('everything an app can import is in the docs, and is defined', async (t) => {
  const pages = await Promise.all(['README.md', ...(await readdir(join(root, 'docs'), { recursive: true })).filter((page) => page.endsWith('.md')).map((page) => join('docs', page))].map(read))
  const text = pages.join('\n')
  t.same(Object.keys(rowhouse).filter((name) => !new RegExp(`\\b${name}\\b`).test(text)), [])
  t.same(Object.entries(rowhouse).filter(([, value]) => value === undefined), [])
})

t.test('docs/errors.md has every error code, as the table of codes has it, and no other', async (t) => {
  const rows = [...(await read('docs/errors.md')).matchAll(/^\| `([a-z-]+)` \| (\d{3}) \| (.+?) \| (.+?) \|$/gm)]
  const documented = rows.map(([, code, status, sentence, nextStep]) => {
    return { code, status: Number(status), sentence, nextStep }
  })
  t.ok(documented.length > 50)
  t.same(documented, Object.entries(errorCodes).map(([code, entry]) => ({ code, ...entry })))
})

t.test('docs/tables.md and docs/errors.md have every code of a TableError', async (t) => {
  const [, declared = ''] = /export type TableErrorCode =([^/]+)/.exec(await read('db/errors/errors.ts')) ?? []
  const codes = [...declared.matchAll(/'([a-z-]+)'/g)].map(([, code = '']) => code)
  t.ok(codes.length > 10)
  const tables = await read('docs/tables.md')
  const [, errors = ''] = (await read('docs/errors.md')).split('A `TableError` has one')
  for (const code of codes) {
    t.match(tables, `\`${code}\``, code)
    t.match(errors, `\`${code}\``, code)
  }
})

t.test('every test that docs/contributing/conformance.md names exists', async (t) => {
  const named = [...(await read('docs/contributing/conformance.md')).matchAll(/`([a-z-]+)` › (.*?)(?=<br>| \|$)/gm)]
  t.ok(named.length > 90)
  for (const [, file = '', name = ''] of named) {
    const code = (await read(`test/${file}.test.ts`)).replaceAll("\\'", "'")
    t.ok(code.includes(`'${name}'`) || code.includes(`"${name}"`) || code.includes(`\`${name}\``), `${file} › ${name}`)
  }
})

t.test('no file names a folder of anybody’s machine', async (t) => {
  const { stdout } = await run('git', ['ls-files'], { cwd: root }).catch(() => ({ stdout: '' }))
  const files = stdout.split('\n').filter((file) => file !== '' && !/package-lock\.json$|documentation\.test\.ts$/.test(file))
  for (const file of files) t.notMatch(await read(file), /(?<![\w/:.])\/(?:root|home\/\w+)\//, file)
})
