import { existsSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import t, { type Test } from 'tap'
import { takesLong } from './support/needs.ts'
import { createApp } from 'rowhouse'

type Files = NonNullable<Parameters<Test['testdir']>[0]>

/** Builds the app that these files are, asks it and closes it with the test. */
async function load(t: Test, files: Files) {
  const directory = t.testdir(files)
  const log: Record<string, unknown>[] = []
  const app = await createApp({ directory, logTo: { write: (line: string) => void log.push(JSON.parse(line) as Record<string, unknown>) } })
  t.teardown(() => app.close())
  const get = async (path: string) => (await app.inject(`/_/api${path}`)).json() as unknown
  return { directory, app, log, get }
}

/** The message with which these files fail to load. */
async function failure(t: Test, files: Files): Promise<string> {
  const error: unknown = await createApp({ directory: t.testdir(files), logTo: { write: () => undefined } }).then(
    () => new Error('it loaded'),
    (reason: unknown) => reason,
  )
  const message = error instanceof Error ? error.message : String(error)
  t.notMatch(message, /\n/, 'one line')
  return message
}

t.test('tables.ts and every module in modules/ are run, by name and folder by folder; tests, type declarations and names that start with _ or . are not', async (t) => {
  const module = (name: string) => `import { httpEndpoint } from 'rowhouse'; globalThis.ran = [...(globalThis.ran ?? []), '${name}']; httpEndpoint('/${name}', () => globalThis.ran)`
  const { get, app } = await load(t, {
    'tables.ts': `import { defineTables } from 'rowhouse'; globalThis.ran = ['tables']; export const tables = defineTables({})`,
    'other.ts': module('other'),
    modules: {
      'b.js': module('b'),
      'a.mts': module('a'),
      'c.mjs': module('c'),
      'a.test.ts': module('a.test'),
      'a.d.ts': 'export declare const a: number',
      '_draft.ts': module('_draft'),
      '.hidden.ts': module('.hidden'),
      'notes.md': '# notes',
      deep: { deeper: { 'd.ts': module('d') } },
      _drafts: { 'e.ts': module('e') },
    },
  })
  t.same(await get('/a'), ['tables', 'a', 'b', 'c', 'd'])
  t.equal((await app.inject('/_/api/e')).statusCode, 404)
})

t.test('files of every extension are run, whatever their kind, and so are those that links lead to', { skip: takesLong('it starts nine apps') }, async (t) => {
  const module = (name: string) => `import { httpEndpoint } from 'rowhouse'\nhttpEndpoint('/${name}', () => ['${name}'])\n`
  const required = (name: string) => `const { httpEndpoint } = require('rowhouse')\nhttpEndpoint('/${name}', () => ['${name}'])\n`
  const element = `const React = { createElement: (name: string) => name }\nhttpEndpoint('/tsx', () => [<p />])\n`
  for (const extension of ['ts', 'mts', 'cts', 'tsx', 'js', 'mjs', 'cjs', 'jsx']) {
    const isCommonJS = extension === 'cjs'
    const guard = (header: string) => `async (request, next) => { const response = await next(); response.headers.set('${header}', '1'); return response }`
    const exported = (value: string) => `${isCommonJS ? 'module.exports =' : 'export default'} ${value}\n`
    const { app, get } = await load(t, {
      [`rowhouse.config.${extension}`]: exported(`{ name: 'configured ${extension}' }`),
      [`tables.${extension}`]: isCommonJS ? `require('rowhouse').defineTables({})` : `import { defineTables } from 'rowhouse'\ndefineTables({})\n`,
      [`fastify.${extension}`]: exported(`async (app) => void app.get('/plugin', () => 'plugin')`),
      modules: { [`a.${extension}`]: isCommonJS ? required('a') : module('a') },
      pages: {
        [`middleware.${extension}`]: exported(guard('x-outer')),
        api: { [`middleware.${extension}`]: exported(guard('x-inner')), [`b.${extension}`]: exported(`() => 'b'`) },
      },
    })
    t.equal(app.rowhouse.configuration.name, `configured ${extension}`)
    t.same(await get('/a'), ['a'], extension)
    t.equal((await app.inject('/plugin')).body, 'plugin', extension)
    t.match(await app.inject('/api/b'), { body: 'b', headers: { 'x-outer': '1', 'x-inner': '1' } }, extension)
  }
  const linked = await load(t, {
    lib: { 'one.ts': module('one'), several: { 'two.ts': module('two'), again: t.fixture('symlink', '..') }, 'guard.ts': `export default () => 'guarded'` },
    modules: { 'tsx.tsx': `import { httpEndpoint } from 'rowhouse'\n${element}`, 'one.ts': t.fixture('symlink', '../lib/one.ts'), more: t.fixture('symlink', '../lib/several') },
    pages: { 'middleware.ts': t.fixture('symlink', '../lib/guard.ts'), api: { 'b.ts': `export const get = () => 'open'` } },
  })
  for (const name of ['one', 'two']) t.same(await linked.get(`/${name}`), [name], 'a link, and a folder with a link to itself')
  t.same(await linked.get('/tsx'), ['p'])
  t.equal((await linked.app.inject('/api/b')).body, 'guarded')
})

t.test('a file that several modules import is evaluated once, also as data, and top-level await is waited for', async (t) => {
  const { get } = await load(t, {
    lib: { 'counter.ts': `globalThis.evaluations = (globalThis.evaluations ?? 0) + 1; export const slow: string = await new Promise((resolve) => setTimeout(() => resolve('waited'), 20))` },
    modules: {
      'a.ts': `import { httpEndpoint } from 'rowhouse'; import { slow } from '../lib/counter.js'; httpEndpoint('/a', () => [slow, globalThis.evaluations])`,
      'b.ts': `import { httpEndpoint } from 'rowhouse'; import '../lib/counter.js'; import data from './data.json'; const { slow } = await import('../lib/counter.js'); httpEndpoint('/b', () => [slow, data.x])`,
      'data.json': '{ "x": 1 }',
    },
  })
  t.same(await get('/a'), ['waited', 1])
  t.same(await get('/b'), ['waited', 1])
})

t.test('packages are found from the importing file, CommonJS and ES modules alike, and are not evaluated a second time by a module that finds the same one', async (t) => {
  const packageOf = (main: string, type = 'commonjs') => ({ 'package.json': JSON.stringify({ name: 'p', version: '1.0.0', type, main: 'main.js' }), 'main.js': main })
  const { get } = await load(t, {
    node_modules: {
      shared: packageOf('exports.state = { count: 0, where: __filename }'),
      esm: packageOf('export const where = import.meta.url; export default class Named {}', 'module'),
    },
    modules: {
      'a.ts': `import { httpEndpoint } from 'rowhouse'; import { state } from 'shared'; state.count++; httpEndpoint('/a', () => state.count)`,
      'b.ts': `import { httpEndpoint } from 'rowhouse'; import { state } from 'shared'; import Named, { where } from 'esm'; state.count++; httpEndpoint('/b', () => [Named.name, where])`,
      nested: {
        node_modules: { shared: packageOf('exports.state = { count: 40 }') },
        'c.ts': `import { httpEndpoint } from 'rowhouse'; import { createRequire } from 'node:module'; import { state } from 'shared'; const required = createRequire(import.meta.url)('shared'); httpEndpoint('/c', () => [state.count, required.state === state])`,
      },
    },
  })
  t.equal(await get('/a'), 2)
  t.match(await get('/b'), ['Named', /^file:.*\/esm\/main\.js$/])
  t.same(await get('/c'), [40, true])
})

t.test('modules are run in a package that says its files have no side effects, and functions of one name keep it', async (t) => {
  const module = (name: string) => `import { httpEndpoint } from 'rowhouse'; const list = () => [list.name, '${name}']; httpEndpoint('/${name}', list)`
  const { get } = await load(t, { 'package.json': JSON.stringify({ name: 'shop', type: 'module', sideEffects: false }), modules: { 'a.ts': module('a'), 'b.ts': module('b') } })
  t.same(await get('/a'), ['list', 'a'])
  t.same(await get('/b'), ['list', 'b'])
})

t.test("the app's own CommonJS files, paths of tsconfig.json and imports of package.json work", async (t) => {
  const { get } = await load(t, {
    'package.json': JSON.stringify({ name: '@acme/shop', imports: { '#config': './lib/config.ts' } }),
    'tsconfig.json': JSON.stringify({ compilerOptions: { paths: { '~/*': ['./lib/*'] } } }),
    lib: { 'config.ts': 'export const config = { a: 1 }', 'legacy.cjs': `exports.name = require('node:path').basename(__filename)` },
    modules: {
      'a.ts': `import { httpEndpoint } from 'rowhouse'; import { config } from '#config'; import { config as same } from '~/config'; import { name } from '~/legacy.cjs'; httpEndpoint('/a', () => [config === same, name])`,
    },
  })
  t.same(await get('/a'), [true, 'legacy.cjs'])
})

t.test('import.meta.url, dirname and filename are those of the source file and not of what it is compiled to', async (t) => {
  const source = `import { httpEndpoint } from 'rowhouse'; httpEndpoint('/NAME', () => [import.meta.url, import.meta.dirname, import.meta.filename])`
  const { directory, get } = await load(t, { modules: { 'a.ts': source.replace('NAME', 'a'), deep: { 'b.js': source.replace('NAME', 'b') } } })
  for (const [name, ...path] of [['a', 'modules', 'a.ts'], ['b', 'modules', 'deep', 'b.js']] as const) {
    const file = join(directory, ...path)
    t.same(await get(`/${name}`), [pathToFileURL(file).href, join(file, '..'), file])
  }
})

t.test('stack traces and declarations name the lines of the source', async (t) => {
  const { app, log } = await load(t, {
    lib: { 'fail.ts': 'interface Options { readonly a: number }\n\nexport function fail(options?: Options): never {\n  throw new RangeError(`no ${options?.a}`)\n}\n' },
    modules: { 'a.ts': `import { httpEndpoint } from 'rowhouse'\nimport { fail } from '../lib/fail.js'\n\ntype Unused = string\n\nhttpEndpoint('/a', async () => {\n  await null\n  fail()\n})\n` },
  })
  t.equal((await app.inject('/_/api/a')).statusCode, 500)
  const logged = JSON.stringify(log)
  t.match(logged, /lib\/fail\.ts:4:9/)
  t.match(logged, /modules\/a\.ts:8:3/)
  t.notMatch(logged, /\.rowhouse\/build/)
  t.has(app.rowhouse.endpoints.find(({ path }) => path.text === '/_/api/a'), { source: { file: 'modules/a.ts', line: 6 } })
})

t.test('nothing is written to load an app', async (t) => {
  const { directory } = await load(t, { modules: { 'a.ts': 'export {}' }, 'rowhouse.config.ts': 'export default {}' })
  t.notOk(existsSync(join(directory, '.rowhouse', 'build')))
  const broken = t.testdir({ modules: { 'a.ts': 'throw new Error()' }, 'rowhouse.config.ts': 'export default {}' })
  await t.rejects(createApp({ directory: broken, logTo: { write: () => undefined } }))
  t.same(readdirSync(broken).sort(), ['modules', 'rowhouse.config.ts'])
})

t.test('code finds what lies beside it as Node.js would, in the configuration too, wherever the data folder is', async (t) => {
  const asking = `{
    resolved: import.meta.resolve('./x.txt'),
    missing: import.meta.resolve('./missing.txt'),
    read: readFileSync(new URL('./x.txt', import.meta.url), 'utf8'),
    packageResolved: import.meta.resolve('p'),
    imported: (await import(variable('./late.js'))).name,
    byAddress: (await import(variable(pathToFileURL(import.meta.filename.replace(/[^/]+$/, 'late.ts')).href))).name,
    packageImported: (await import(variable('p'))).default,
    extensionless: (await import(variable('./late'))).name,
    required: createRequire(import.meta.url)('./legacy.cjs').name,
  }`
  const imports = `import { readFileSync } from 'node:fs'\nimport { createRequire } from 'node:module'\nimport { pathToFileURL } from 'node:url'\nconst variable = (text: string) => text\n`
  const beside = {
    'x.txt': 'x',
    'late.ts': `import { sibling } from './sibling.js'\nexport const name: string = 'late ' + sibling`,
    'sibling.ts': `export enum Kind { A = 'sibling' }\nexport const sibling: string = Kind.A`,
    'legacy.cjs': `const variable = (text) => text; exports.name = require(variable('./other.cjs')).name; exports.places = [__dirname, __filename, require.resolve('./other.cjs'), module.id === __filename]`,
    'other.cjs': `exports.name = 'other'`,
  }
  const directory = t.testdir({
    node_modules: { p: { 'package.json': '{"name":"p","exports":{"import":"./p.mjs","require":"./p.cjs"}}', 'p.mjs': `export default 'package'`, 'p.cjs': '' } },
    ...beside,
    'rowhouse.config.ts': `${imports}export default { data: ${JSON.stringify(join(t.testdirName, '..', 'elsewhere-of-loading-modules'))}, name: JSON.stringify(${asking}) }`,
    modules: {
      deep: {
        ...Object.fromEntries(Object.entries(beside).map(([name, text]) => [name === 'x.txt' ? name : `_${name}`, text.replaceAll('./', './_').replaceAll('./_x', './x')])),
        'a.ts': `${imports}import { httpEndpoint } from 'rowhouse'\nimport { places } from './_legacy.cjs'\nhttpEndpoint('/a', async () => (${asking.replaceAll('./late', './_late').replaceAll("'late.ts'", "'_late.ts'").replaceAll('./legacy', './_legacy')}))\nhttpEndpoint('/places', () => places)`,
      },
    },
  })
  const app = await createApp({ directory, logTo: { write: () => undefined } })
  t.teardown(() => app.close())
  t.teardown(() => rmSync(join(t.testdirName, '..', 'elsewhere-of-loading-modules'), { recursive: true, force: true }))
  const expected = (folder: string) => ({
    resolved: pathToFileURL(join(folder, 'x.txt')).href,
    missing: pathToFileURL(join(folder, 'missing.txt')).href,
    read: 'x',
    packageResolved: pathToFileURL(join(directory, 'node_modules', 'p', 'p.mjs')).href,
    imported: 'late sibling',
    byAddress: 'late sibling',
    packageImported: 'package',
    extensionless: 'late sibling',
    required: 'other',
  })
  t.same(JSON.parse(app.rowhouse.configuration.name), expected(directory))
  const deep = join(directory, 'modules', 'deep')
  t.same((await app.inject('/_/api/a')).json(), expected(deep))
  t.same((await app.inject('/_/api/places')).json(), [deep, join(deep, '_legacy.cjs'), join(deep, '_other.cjs'), true])
})

t.test('what is imported by a name that nobody could foresee shares its instances with the rest of its app, and with no other', async (t) => {
  const files = {
    'tables.ts': `import { defineTables, table, text } from 'rowhouse'\nexport const tables = defineTables({ notes: table({ title: text() }) })`,
    lib: {
      'count.ts': `export const count = { imports: 0 }`,
      'one.ts': `import { httpEndpoint } from 'rowhouse'\nimport { tables } from '../tables.js'\nimport { count } from './count.js'\ncount.imports++\nhttpEndpoint('/one', async () => [count.imports, (await Array.fromAsync(tables.notes.search())).length])`,
      'two.cjs': `const { httpEndpoint } = require('rowhouse')\nhttpEndpoint('/two', () => ['two'])`,
    },
    modules: {
      'a.ts': `import { readdirSync } from 'node:fs'\nimport { join } from 'node:path'\nimport { count } from '../lib/count.js'\nimport { tables } from '../tables.ts'\nconst folder = join(import.meta.dirname, '..', 'lib')\nfor (const name of readdirSync(folder)) await import(join(folder, name))\nfor (const name of readdirSync(folder)) await import('../lib/' + name.replace('.ts', '') + '.ts').catch(() => null)\ncount.imports += 10\nvoid tables`,
    },
  }
  const directory = t.testdir(files)
  for (const number of [1, 2]) {
    const app = await createApp({ directory, options: { data: join(directory, `data${number}`) }, logTo: { write: () => undefined } })
    t.teardown(() => app.close())
    t.same((await app.inject('/_/api/one')).json(), [11, 0])
    t.same((await app.inject('/_/api/two')).json(), ['two'])
  }
})

t.test('an import with a question mark behind it is one more instance, as in Node.js', async (t) => {
  const { directory, get } = await load(t, {
    lib: { 'times.ts': 'globalThis.timesRun = (globalThis.timesRun ?? 0) + 1\nexport const url = import.meta.url' },
    modules: {
      'a.ts': `import { httpEndpoint } from 'rowhouse'
import { url } from '../lib/times.js?once'
import '../lib/times.js'
import '../lib/times.js'
for (const name of ['more', 'more', 'again']) await import(['../lib/times.ts', name].join('?'))
httpEndpoint('/a', () => [url, globalThis.timesRun])`,
    },
  })
  t.same(await get('/a'), [`${pathToFileURL(join(directory, 'lib', 'times.ts')).href}?once`, 4])
})

t.test('a mistake in what is imported by such a name is told with its place', async (t) => {
  const importing = `const name = './' + ['_b.ts'][0]\nawait import(name)`
  t.match(await failure(t, { modules: { 'a.ts': importing } }), /^(?:modules\/a\.ts:2:\d+: )?Error: Cannot find module '.*\/modules\/_b\.ts' imported from .*\/modules\/a\.ts$/)
  t.equal(await failure(t, { modules: { 'a.ts': importing, '_b.ts': 'const a: number = 1\n\nnull.b()' } }), `modules/_b.ts:3:6: TypeError: Cannot read properties of null (reading 'b')`)
  t.match(await failure(t, { modules: { 'a.ts': importing, '_b.ts': 'const a = {' } }), /^modules\/_b\.ts:1:12: Expected identifier but found end of file$/)
})

t.test('a type is passed on without saying that it is one, const enums and data come from other files, and ES modules may require', async (t) => {
  const { get } = await load(t, {
    'package.json': JSON.stringify({ type: 'module', version: '1.2.3' }),
    'tsconfig.json': JSON.stringify({ compilerOptions: { paths: { '~/*': ['./lib/*'] } } }),
    lib: {
      'types.ts': `export interface Shape { a: number }\nexport default interface Main { b: number }\nexport const enum Size { Small = 's' }\nexport const { made } = { made: 'made' }`,
      'all.ts': `export * from './types.js'\nimport { Shape } from './types.js'\nexport { Shape as Form }\nexport { Shape, Size, default as Main } from './types.js'`,
      'text.txt': 'text',
    },
    modules: {
      'a.ts': `import { httpEndpoint } from 'rowhouse'
import { Shape, Form, Size, made } from '~/all.js'
import { version } from '../package.json'
import whole from '../package.json' with { type: 'json' }
import text from '../lib/text.txt'
export { Form, Main } from '../lib/all.js'
const shape: Shape & Form = { a: 1 }
const path = require('node:path')
const dynamic = await import(['~', 'types.ts'].join('/'))
httpEndpoint('/a', () => [Size.Small, made, version, whole.type, text, shape.a, path.basename(__filename), path.basename(__dirname), require.resolve('../lib/all.ts') === path.join(import.meta.dirname, '../lib/all.ts'), dynamic.made])`,
    },
  })
  t.same(await get('/a'), ['s', 'made', '1.2.3', 'module', 'text', 1, 'a.ts', 'modules', true, 'made'])
})

t.test('apps of one process load one after the other, and each gets its own declarations only', async (t) => {
  const app = (name: string) => ({ modules: { 'a.ts': `import { httpEndpoint } from 'rowhouse'; await new Promise((resolve) => setTimeout(resolve, 10)); httpEndpoint('/${name}', () => '${name}')` } })
  const directory = t.testdir({ one: app('one'), two: app('two'), three: { modules: { 'a.ts': 'throw new Error("three")' } } })
  const logTo = { write: () => undefined }
  const [one, two, three] = await Promise.allSettled(['one', 'two', 'three'].map((name) => createApp({ directory: join(directory, name), logTo })))
  t.match(three, { status: 'rejected', reason: { message: /three/ } })
  for (const [name, result] of Object.entries({ one, two })) {
    if (result?.status !== 'fulfilled') throw new Error(`${name} did not load`)
    t.teardown(() => result.value.close())
    t.equal((await result.value.inject(`/_/api/${name}`)).body, name)
    t.equal((await result.value.inject(`/_/api/${name === 'one' ? 'two' : 'one'}`)).statusCode, 404)
  }
})

t.test('what keeps a module from loading is told in one line with the place in the source', async (t) => {
  const cases: readonly (readonly [string, RegExp])[] = [
    [`import { httpEndpoint } from 'rowhouse'\nhttpEndpoint('/a', () => {\n`, /^modules\/a\.ts:3:1: Unexpected end of file$/],
    [`const nothing = undefined as unknown as { a: 1 }\n\nfunction f() {\n  return nothing.a\n}\nf()`, /^modules\/a\.ts:4:18: TypeError: Cannot read properties of undefined \(reading 'a'\)$/],
    [`await Promise.reject(new RangeError('two\\nlines'))`, /^modules\/a\.ts:1:22: RangeError: two lines$/],
    [`throw 'text'`, /a module threw a value of type string while it was loading; throw an Error/],
    [`import pad from 'left-pad/deep'\npad()`, /^modules\/a\.ts:1:17: the package "left-pad" is not installed; run npm install left-pad in the app's folder$/],
    [`import pad from '@acme/left-pad'\npad()`, /run npm install @acme\/left-pad /],
    [`import f from 'fastify/nothing.js'\nf()`, /^modules\/a\.ts:1:15: the package "fastify" is installed, but has no "fastify\/nothing\.js"$/],
    [`import x from './b.js'\nx()`, /^modules\/a\.ts:1:15: Could not resolve "\.\/b\.js"$/],
    [`import x from 'node:nothing'\nx()`, /^modules\/a\.ts:1:15: Node\.js [\d.]+ has no module "node:nothing"$/],
    [`import { httpEndpont } from 'rowhouse'\nhttpEndpont()`, /^modules\/a\.ts:1:10: No matching export in "rowhouse" for import "httpEndpont"; did you mean "httpEndpoint"\?$/],
    [`import { httpEndpoint } from 'rowhouse'\n\nhttpEndpoint('/a', { method: ['GET'] }, () => 1)`, /^modules\/a\.ts:3: .*unknown option "method".*methods/],
    [`import { httpEndpoint } from 'rowhouse'\nhttpEndpoint('/a', { params: { title: 42 } }, () => 1)`, /^modules\/a\.ts:2: .*params.*title/],
    [`import { httpEndpoint } from 'rowhouse'\nhttpEndpoint('/a/:id', () => 1)\nhttpEndpoint('/a/:name', () => 2)`, /^modules\/a\.ts:3: .*modules\/a\.ts:2/],
    [`import { defineTables, table, text } from 'rowhouse'\n\ndefineTables({ tasks: table({ update: text() }) })`, /^modules\/a\.ts:3:1: (?!SchemaError).*tasks.*update/],
    [`import { defineTables } from 'rowhouse'\ndefineTables({})\n\ndefineTables({})`, /^modules\/a\.ts:4: defineTables\(\) was called a second time, after modules\/a\.ts:2/],
  ]
  for (const [source, expected] of cases) t.match(await failure(t, { modules: { 'a.ts': source } }), expected)
})

t.test('a declaration outside of loading is an error that says so', async (t) => {
  const { get } = await load(t, {
    modules: { 'a.ts': `import { httpEndpoint } from 'rowhouse'; httpEndpoint('/a', () => { try { httpEndpoint('/late', () => 1) } catch (error) { return { message: error.message } } })` },
  })
  t.match(await get('/a'), { message: /httpEndpoint\(\) was called while no app was loading/ })
})

t.test('an empty folder is told how to begin, and no data folder appears in it', async (t) => {
  const directory = t.testdir({ 'readme.md': '' })
  await t.rejects(createApp({ directory }), { message: /there is no app in .*; start with modules\/hello\.ts: import \{ httpEndpoint \} from 'rowhouse'/ })
  t.notOk(existsSync(join(directory, '.rowhouse')))
})

t.test('several configuration files, one that throws and one without a default export are refused', async (t) => {
  const modules = { 'a.ts': '' }
  t.match(await failure(t, { modules, 'rowhouse.config.ts': '', 'rowhouse.config.js': '' }), /there are several configuration files, rowhouse\.config\.ts and rowhouse\.config\.js; keep one/)
  t.match(await failure(t, { modules, 'rowhouse.config.ts': `\nthrow new Error('oh')` }), /^rowhouse\.config\.ts:2:7: Error: oh$/)
  t.match(await failure(t, { modules, 'rowhouse.config.ts': 'export const port = 1' }), /rowhouse\.config\.ts has to export its settings as default/)
})
