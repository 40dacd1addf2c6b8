import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import t from 'tap'

const root = fileURLToPath(new URL('..', import.meta.url))

/** The folders in the order in which imports may point: each may import those after it. */
const layers = ['bin', 'server', 'plugins', 'migrations', 'db', 'db/sqlite']

const sources = ['index.ts', ...layers.slice(0, 5).flatMap((layer) => readdirSync(join(root, layer), { recursive: true, encoding: 'utf8' }).map((file) => join(layer, file)))].filter((file) =>
  file.endsWith('.ts'),
)

interface Import {
  readonly from: string
  readonly to: string
}

/** Every static and dynamic import and re-export of a file, and the scripts of its workers. */
function importsOf(file: string): Import[] {
  const code = readFileSync(join(root, file), 'utf8').replaceAll(/\/\*[\s\S]*?\*\//g, '')
  const specifiers = [...code.matchAll(/(?:\bfrom|\bimport)\s*\(?\s*'([^']+)'|new Worker\(new URL\('([^']+\.js)'/g)].map((match) => match[1] ?? match[2] ?? '')
  return specifiers.map((to) => ({ from: file, to: to.startsWith('.') ? relative(root, resolve(root, dirname(file), to)).replace(/\.js$/, '.ts') : to }))
}

const imports = sources.flatMap(importsOf)
const layerOf = (file: string): string => (file.startsWith('db/sqlite/') ? 'db/sqlite' : (file.split('/')[0] ?? ''))
const inner = imports.filter(({ to }) => to.endsWith('.ts'))
const told = (list: readonly Import[]): string[] => list.map(({ from, to }) => `${from} imports ${to}`)

t.test('the sources were found', async (t) => {
  t.ok(sources.length > 80)
  t.same(inner.filter(({ to }) => !sources.includes(to)).map(({ to }) => to), [], 'and so was every file that is imported')
})

t.test('imports point one way: bin, server, plugins, migrations, db', async (t) => {
  const upward = inner.filter(({ from, to }) => {
    const [importer, imported] = [layers.indexOf(layerOf(from)), layers.indexOf(layerOf(to))]
    return from !== 'index.ts' && importer !== -1 && imported < importer && !(layerOf(from) === 'db/sqlite' && layerOf(to) === 'db')
  })
  t.same(told(upward), [])
  t.same(told(inner.filter(({ from, to }) => layerOf(from) === 'migrations' && layerOf(to) !== 'db' && layerOf(to) !== 'migrations')), [])
  t.same(told(inner.filter(({ from, to }) => layerOf(from) === 'plugins' && !['plugins', 'db'].includes(layerOf(to)))), [])
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

t.test('db and the users service know no HTTP', async (t) => {
  const http = /^(fastify.*|@fastify\/.*|node:http|negotiator|fast-querystring)$/
  t.same(told(imports.filter(({ from, to }) => http.test(to) && (layerOf(from) === 'db' || layerOf(from) === 'db/sqlite' || from.startsWith('server/services/accounts/')))), [])
  const services = inner.filter(({ from, to }) => from.startsWith('server/services/accounts/') && layerOf(to) === 'server' && !/^server\/(?:services\/accounts|settings)\//.test(to))
  t.same(told(services), [])
})

t.test('only server/settings/environment.ts reads the environment', async (t) => {
  const readers = sources.filter((file) => /process\.env\b/.test(readFileSync(join(root, file), 'utf8')))
  t.same(readers, ['server/settings/environment.ts'])
})

t.test('there are no import cycles', async (t) => {
  const graph = new Map<string, string[]>()
  const valueImports = sources.flatMap((file) => {
    const code = readFileSync(join(root, file), 'utf8')
    const types = new Set([...code.matchAll(/import type [\s\S]*?from '([^']+)'/g)].map((match) => match[1]))
    return importsOf(file).filter(({ to }) => to.endsWith('.ts') && ![...types].some((type) => type !== undefined && relative(root, resolve(root, dirname(file), type)).replace(/\.js$/, '.ts') === to))
  })
  for (const { from, to } of valueImports) graph.set(from, [...(graph.get(from) ?? []), to])
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
