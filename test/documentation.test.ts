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
import { temporaryFolder } from './support/app.ts'
import { needs, takesLong } from './support/needs.ts'

const run = promisify(execFile)
const root = fileURLToPath(new URL('..', import.meta.url))
const read = (file: string): Promise<string> => readFile(join(root, file), 'utf8')

/** The package is compiled already. */
const npmSettings = { npm_config_offline: 'true', npm_config_ignore_scripts: 'true' }

// `NODE_OPTIONS=` before a command takes away what tap gives to every Node.js process (see support/plain-node.ts).

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
    const child = spawn('env', ['NODE_OPTIONS=', 'npx', 'rowhouse', 'start'], { cwd: this.#folder, env: { ...process.env, ROWHOUSE_PORT: String(this.#port) }, stdio: ['ignore', 'pipe', 'inherit'], detached: true })
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

t.test("the README's tutorial does what it says, from an empty folder to the last answer", { timeout: 120_000, skip: takesLong('it installs the package and starts its server several times') || needs('bash', 'curl', 'npm') }, async (t) => {
  const [, tutorial = ''] = (await read('README.md')).split('## Tutorial')
  const parent = await temporaryFolder(t)
  await symlink(root, join(parent, 'rowhouse'))
  const folder = join(parent, 'my-todo')
  const port = await freePort()
  const server = new TutorialServer(folder, port)
  t.teardown(() => server.stop())
  let mustRestart = false
  const shell = async (command: string, cwd: string): Promise<string> => (await run('env', ['NODE_OPTIONS=', 'bash', '-c', command.replaceAll(':3030', `:${port}`)], { cwd, env: { ...process.env, ...npmSettings } })).stdout

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

t.test("the README's two commands are what package.json has, and every page it names is there", { skip: needs('npm') }, async (t) => {
  const readme = await read('README.md')
  const { scripts } = JSON.parse(await read('package.json')) as { scripts: Record<string, string> }
  t.match(readme, '```sh\nnpm ci && npm start\n```')
  t.match(readme, '```sh\nnpm ci && npm test\n```')
  t.match(scripts, { start: /examples\/todo/, test: /tap/, prepare: /build/ })
  t.match(readme, 'npm run --silent rowhouse -- users add')
  const { stdout } = await run('env', ['NODE_OPTIONS=', 'npm', 'run', '--silent', 'rowhouse', '--', 'users', '--help'], { cwd: root })
  t.match(stdout, 'add')
  const pages = [...readme.matchAll(/\]\((docs\/[^)]+)\)/g)].map(([, page = '']) => page)
  t.ok(pages.length > 10)
  for (const page of pages) await t.resolves(read(page), page)
})

t.test('every block of TypeScript in the docs compiles as it stands', { skip: takesLong('it runs the compiler') }, async (t) => {
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
  await symlink(join(root, 'node_modules'), join(folder, 'node_modules'))
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

/**
 * The names that a page shows as code of an app: what a code mark begins with, as `table` or `table({ … })`, and what a block imports from
 * Rowhouse. In prose, a word such as "text" says nothing of an export of that name.
 */
function namesShownIn(markdown: string): string[] {
  const blocks = blocksOf(markdown).filter(({ language }) => language === 'ts')
  const imported = blocks.flatMap(({ text }) => [...text.matchAll(/^import (?:type )?\{([^}]*)\} from 'rowhouse'/gm)].flatMap(([, names = '']) => names.match(/\w+/g) ?? []))
  const marked = [...markdown.replaceAll(/^```[\s\S]*?^```$/gm, '').matchAll(/`(\w+)(?:[(.<][^`]*)?`/g)].map(([, name = '']) => name)
  return [...imported, ...marked]
}

t.test('everything an app can import is in the docs, and is defined', async (t) => {
  const docs = (await readdir(join(root, 'docs'))).filter((page) => page.endsWith('.md')).map((page) => join('docs', page))
  const pages = await Promise.all(['README.md', ...docs].map(read))
  const shown = new Set(pages.flatMap(namesShownIn))
  t.same(Object.keys(rowhouse).filter((name) => !shown.has(name)), [])
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

/** The files of this tree, with or without git, but for what a `.gitignore` names. */
async function filesOf(folder: string, ignored: readonly RegExp[] = [/^\.git$/]): Promise<string[]> {
  const entries = await readdir(join(root, folder), { withFileTypes: true })
  const own = entries.some(({ name }) => name === '.gitignore') ? (await read(join(folder, '.gitignore'))).split('\n').filter((line) => line !== '') : []
  const left = [...ignored, ...own.map((line) => new RegExp(`^${line.replace(/\/$/, '').replaceAll('.', '\\.').replaceAll('*', '.*')}$`))]
  const found = entries
    .filter(({ name }) => !left.some((pattern) => pattern.test(name)))
    .map((entry) => (entry.isDirectory() ? filesOf(join(folder, entry.name), left) : [join(folder, entry.name)]))
  return (await Promise.all(found)).flat()
}

t.test('no file names a folder of anybody’s machine', { skip: takesLong('it reads all files') }, async (t) => {
  const files = (await filesOf('.')).filter((file) => !/package-lock\.json$|documentation\.test\.ts$/.test(file))
  for (const file of ['README.md', '.ci/run', 'server/app/create-app.ts', 'test/support/app.ts', 'examples/todo/tables.ts']) t.ok(files.includes(file), `${file} was looked at`)
  for (const file of files) t.notMatch(await read(file), /(?<![\w/:.])\/(?:root|home\/\w+)\//, file)
})
