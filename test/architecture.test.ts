import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import t from 'tap'

const root = fileURLToPath(new URL('..', import.meta.url))

/** The rooms from the top of the house down: a file may import from its own room and from those below, types included. */
const rooms = [
  'bin',
  'server/app',
  'server/platform',
  'server/doors',
  'server/pipeline',
  'server/exports',
  'server/services',
  'server/call',
  'server/endpoint',
  'server/http',
  'server/logging',
  'server/errors',
  'server/settings',
  'plugins',
  'migrations',
  'db/database.ts',
  'db/migrate.ts',
  'db/sqlite',
  'db/schema',
  'db/rows',
  'db/transactions',
  'db/columns',
  'db/engine',
  'db/files',
  'db/values',
  'db/errors',
]

/** The folders that hold the rooms. */
const folders = ['bin', 'server', 'plugins', 'migrations', 'db']

const sources = ['index.ts', ...folders.flatMap((folder) => readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' }).map((file) => join(folder, file)))].filter((file) =>
  file.endsWith('.ts'),
)

interface Import {
  readonly from: string
  readonly to: string
  /** Whether only types come over, which leave nothing at run time. */
  readonly isType: boolean
}

/** `import … from`, `export … from`, each statement by itself: one file may import types and values of another. */
const statement = /^(?:import|export)\s+(type\s+)?[^'";]*?\bfrom\s+'([^']+)'/gm
/** `import '…'`, `import('…')` and the scripts of workers. */
const bare = /^import\s+'([^']+)'|\bimport\(\s*'([^']+)'|new Worker\(new URL\('([^']+\.js)'/gm

/** Every import and re-export in the source text of a file. */
function importsOf(file: string, source: string): Import[] {
  const code = source.replaceAll(/\/\*[\s\S]*?\*\//g, '')
  const found = [
    ...[...code.matchAll(statement)].map(([, type, to = '']) => ({ to, isType: type !== undefined })),
    ...[...code.matchAll(bare)].map(([, first, second, third]) => ({ to: first ?? second ?? third ?? '', isType: false })),
  ]
  return found.map(({ to, isType }) => ({ from: file, to: to.startsWith('.') ? relative(root, resolve(root, dirname(file), to)).replace(/\.js$/, '.ts') : to, isType }))
}

const imports = sources.flatMap((file) => importsOf(file, readFileSync(join(root, file), 'utf8')))
/** The room of a file, by its place in the house; -1 for a file that stands in none. */
const floorOf = (file: string): number => rooms.findIndex((room) => file === room || file.startsWith(`${room}/`))
const layerOf = (file: string): string => (file.startsWith('db/sqlite/') ? 'db/sqlite' : (file.split('/')[0] ?? ''))
const inner = imports.filter(({ to }) => to.endsWith('.ts'))
const told = (list: readonly Import[]): string[] => list.map(({ from, to }) => `${from} imports ${to}`)

t.test('the sources were found', async (t) => {
  t.ok(sources.length > 80)
  t.same(inner.filter(({ to }) => !sources.includes(to)).map(({ to }) => to), [], 'and so was every file that is imported')
})

t.test('an import of values is seen beside one of types from the same file', async (t) => {
  const source = `import type { A } from './a.js'\nimport { b, type C } from './a.js'\nexport type {\n  D,\n} from './d.js'\nimport './e.js'\nconst f = await import('./f.js') // import type { G } from './g.js'\n`
  t.same(
    importsOf('db/x.ts', source).map(({ to, isType }) => `${isType ? 'types' : 'values'} of ${to}`),
    ['types of db/a.ts', 'values of db/a.ts', 'types of db/d.ts', 'values of db/e.ts', 'values of db/f.ts'],
  )
})

t.test('every file stands in a room of the house, and every room has files', async (t) => {
  t.same(sources.filter((file) => file !== 'index.ts' && floorOf(file) === -1), [])
  t.same(rooms.filter((_room, floor) => !sources.some((file) => floorOf(file) === floor)), [])
})

t.test('imports point one way, from each room to those below it, imports of types included', async (t) => {
  t.ok(inner.length > 500, 'imports were found')
  t.same(told(inner.filter(({ from, to }) => from !== 'index.ts' && floorOf(to) < floorOf(from))), [])
})

t.test('only the service of accounts writes columns that are guarded', async (t) => {
  const guards = inner.filter(({ to }) => to === 'db/rows/guarded-values.ts').map(({ from }) => from)
  t.same(guards.filter((file) => !file.startsWith('server/services/accounts/')), ['db/rows/written-values.ts'])
})

t.test('plugins and migrations know the database and nothing else of ours', async (t) => {
  t.same(told(inner.filter(({ from, to }) => ['plugins', 'migrations'].includes(layerOf(from)) && ![layerOf(from), 'db'].includes(layerOf(to)))), [])
})

t.test('nothing imports the one door or bin', async (t) => {
  t.same(told(inner.filter(({ to }) => to === 'index.ts')), [])
  t.same(told(inner.filter(({ from, to }) => layerOf(to) === 'bin' && layerOf(from) !== 'bin')), [])
})

t.test('the one door opens server and db, and nothing of an engine', async (t) => {
  t.same(told(inner.filter(({ from, to }) => from === 'index.ts' && !['server', 'db'].includes(layerOf(to)))), [])
})

t.test('only db/sqlite imports a driver, and only db/database.ts chooses an engine', async (t) => {
  t.same(told(imports.filter(({ from, to }) => /^(better-sqlite3|pg|node:sqlite)$/.test(to) && layerOf(from) !== 'db/sqlite')), [])
  const choosers = inner.filter(({ from, to }) => layerOf(to) === 'db/sqlite' && layerOf(from) !== 'db/sqlite')
  t.same([...new Set(choosers.map(({ from }) => from))], ['db/database.ts'])
})

t.test('db and the services know no HTTP, and services know neither calls nor endpoints', async (t) => {
  const http = /^(fastify.*|@fastify\/.*|node:http|negotiator|fast-querystring)$/
  t.same(told(imports.filter(({ from, to }) => http.test(to) && (from.startsWith('db/') || from.startsWith('server/services/')))), [])
  const known = ['server/services/', 'server/errors/', 'server/settings/', 'db/']
  t.same(told(inner.filter(({ from, to }) => from.startsWith('server/services/') && !known.some((room) => to.startsWith(room)))), [])
})

t.test('one file follows code across its awaits', async (t) => {
  t.same(sources.filter((file) => readFileSync(join(root, file), 'utf8').includes('AsyncLocalStorage')), ['server/call/call.ts'])
})

t.test('only server/settings/environment.ts reads the environment', async (t) => {
  const readers = sources.filter((file) => /process\.env\b/.test(readFileSync(join(root, file), 'utf8')))
  t.same(readers, ['server/settings/environment.ts'])
})

t.test('there are no import cycles', async (t) => {
  const graph = new Map<string, string[]>()
  for (const { from, to } of inner.filter(({ isType }) => !isType)) graph.set(from, [...(graph.get(from) ?? []), to])
  const done = new Set<string>()
  const visit = (file: string, line: readonly string[]): string[] | null => {
    if (line.includes(file)) return [...line.slice(line.indexOf(file)), file]
    if (done.has(file)) return null
    for (const next of graph.get(file) ?? []) {
      const cycle = visit(next, [...line, file])
      if (cycle !== null) return cycle
    }
    done.add(file)
    return null
  }
  for (const file of sources) t.equal(visit(file, []), null)
})

t.test('no folder below the one door has a barrel file', async (t) => {
  const reexporting = sources.filter((file) => file !== 'index.ts' && /^export .* from '/m.test(readFileSync(join(root, file), 'utf8')))
  t.same(reexporting, [])
})
