import { existsSync, renameSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { createApp } from 'rowhouse'
import { runRowhouse } from './support/rowhouse-process.js'

type Files = NonNullable<Parameters<Test['testdir']>[0]>

const hello = `import { httpEndpoint } from 'rowhouse'\nhttpEndpoint('/hello', () => 'Hello')\n`
const tables = `import { defineTables } from 'rowhouse'\nexport const tables = defineTables({})\n`
const route = `export const get = () => 'route'\n`
const guard = `export default (request, next) => next()\n`
const modules = { 'hello.ts': hello }
const pages = { api: { 'hello.ts': route } }

/** What an app that must not start is told, line by line. */
async function refusal(t: Test, files: Files): Promise<readonly string[]> {
  const directory = t.testdir(files)
  try {
    await (await createApp({ directory, logTo: { write: () => undefined } })).close()
  } catch (error) {
    if (error instanceof Error && error.name === 'LoadError') return error.message.split('\n')
    throw error
  }
  return ['it started']
}

/** Runs each of these apps, none of which may be refused. */
async function starts(t: Test, apps: Readonly<Record<string, Files>>): Promise<void> {
  for (const [name, files] of Object.entries(apps)) t.same(await refusal(t, files), ['it started'], name)
}

t.test(
  'a file that is nearly called rowhouse.config.ts stops the start: without it the app would be open',
  async (t) => {
    const settings = `export default { private: { accessKey: '4kR9w_x7Qm2LtZ5vB8nY3cHd' } }`
    const why = 'is not read: the settings of an app are in rowhouse.config.ts;'
    for (const name of [
      'rowhouse.conf.ts',
      'rowhouse-config.ts',
      'rowhouse_config.js',
      'rowhouseconfig.ts',
      'Rowhouse.config.ts',
      'rowhouse.cofnig.ts',
      'rowhous.config.mjs',
      'rowhouse.configuration.ts',
      'rowhouse.settings.ts',
      'rowhouse.config.cjs',
      'rowhouse.config.cts',
      'rowhouse.config.tsx',
      'rowhouse.config.TS',
    ]) {
      t.same(await refusal(t, { modules, [name]: settings }), [`${name} ${why} rename it`])
    }
    for (const name of [
      'rowhouse.config.json',
      'rowhouse.config.yaml',
      'rowhouse-config.toml',
      'rowhouse.conf.json5',
      '.rowhouserc',
      '.rowhouserc.json',
    ]) {
      t.same(await refusal(t, { modules, [name]: '{}' }), [
        `${name} ${why} write them there, as export default defineConfig({ … })`,
      ])
    }
    t.same(
      await refusal(t, { modules, 'rowhouse.config.ts': 'export default {}', 'Rowhouse.config.ts': settings }),
      [`Rowhouse.config.ts ${why} rename it`],
      'also beside the right one',
    )
  },
)

t.test(
  'a file that is nearly called tables.ts stops the start, where it declares tables and tables.ts is missing',
  async (t) => {
    const why = "is not run: tables are in tables.ts, in the app's folder; rename it"
    for (const name of [
      'table.ts',
      'Table.ts',
      'Tables.ts',
      'tabels.ts',
      'TABLES.mjs',
      'tables.tsx',
      'tables.cts',
      'tables.TS',
    ])
      t.same(await refusal(t, { modules, [name]: tables }), [`${name} ${why}`])
    t.same(await refusal(t, { modules, tables: { 'index.ts': `export * from './all.js'`, 'all.ts': tables } }), [
      `tables/index.ts ${why}`,
    ])
    t.same(
      await refusal(t, { modules, 'tables.ts': tables, 'Tables.ts': '' }),
      [`Tables.ts ${why}`],
      'in another case also beside the right one',
    )
  },
)

t.test(
  'a folder that is nearly called modules/ stops the start, where its files declare endpoints and modules/ is missing',
  async (t) => {
    const why = 'is not looked at: modules are files in the folder modules/; rename it'
    for (const name of ['module', 'Modules', 'moduls', 'moduels'])
      t.same(await refusal(t, { 'tables.ts': tables, [name]: { deep: modules } }), [`${name}/ ${why}`])
    for (const name of ['modules.ts', 'module.js'])
      t.same(await refusal(t, { pages, [name]: hello }), [`${name} ${why}`])
    t.same(
      await refusal(t, { modules, Modules: { 'b.ts': 'export const b = 1' } }),
      [`Modules/ ${why}`],
      'in another case also beside the right one',
    )
  },
)

t.test('a file in modules/ that declares endpoints and has an extension that is not run stops the start', async (t) => {
  for (const name of ['tasks.tsx', 'tasks.jsx', 'tasks.cjs', 'tasks.cts', 'tasks.TS']) {
    t.same(await refusal(t, { modules: { ...modules, deep: { [name]: hello } } }), [
      `modules/deep/${name} is not run: a module ends in .ts, .mts, .js or .mjs; ` +
        'rename it, or begin its name with _ if it is none',
    ])
  }
})

t.test('a folder that is nearly called pages/api/ stops the start, where that is missing', async (t) => {
  const why = 'is not looked at: file routes are in the folder pages/api/; rename it'
  for (const [folder, inner] of [
    ['page', 'api'],
    ['Pages', 'api'],
    ['pages', 'API'],
    ['pages', 'apis'],
    ['page', 'Api'],
  ] as const) {
    t.same(await refusal(t, { modules, [folder]: { [inner]: { deep: { 'hello.ts': route } } } }), [
      `${folder}/${inner}/ ${why}`,
    ])
  }
  t.same(await refusal(t, { pages: { ...pages, API: { 'b.ts': route } } }), [`pages/API/ ${why}`])
})

t.test(
  'a file that is nearly called middleware.ts, or lies beside pages/, stops the start: it would leave routes open',
  async (t) => {
    const why =
      'guards nothing: middleware is in a file middleware.ts in pages/ or below pages/api/; rename or move it'
    for (const name of ['Middleware.ts', 'middlewares.ts', '_middleware.js'])
      t.same(await refusal(t, { pages: { ...pages, [name]: guard } }), [`pages/${name} ${why}`])
    t.same(
      await refusal(t, { pages: { api: { '(staff)': { '_middleware.ts': guard, deep: { 'hello.ts': route } } } } }),
      [`pages/api/(staff)/_middleware.ts ${why}`],
    )
    t.same(await refusal(t, { pages, 'middleware.ts': 'export function middleware(request) {}' }), [
      `middleware.ts ${why}`,
    ])
  },
)

t.test('all of them are told at once, and renaming helps', async (t) => {
  const directory = t.testdir({ 'table.ts': tables, Modules: modules, page: pages })
  const lines = /^table\.ts is not run: .*\nModules\/ is not looked at: .*\npage\/api\/ is not looked at: .*\n$/
  for (const words of [
    ['start', directory],
    ['routes', directory],
  ])
    t.match(await runRowhouse(t, words), { code: 1, stdout: '', stderr: lines })
  t.notOk(existsSync(join(directory, '.rowhouse')))
  for (const [from, to] of [
    ['table.ts', 'tables.ts'],
    ['Modules', 'modules'],
    ['page', 'pages'],
  ] as const)
    renameSync(join(directory, from), join(directory, to))
  t.match(await runRowhouse(t, ['routes', directory]), { code: 0, stdout: /\/hello .*\n[^]*\/api\/hello /, stderr: '' })
})

t.test('check tells of them together with mistakes of types, those of the configuration file too', async (t) => {
  const directory = t.testdir({
    modules: { 'a.ts': `${hello}export const a: number = 'a'\n`, 'b.tsx': hello },
    'rowhouse.config.ts': `export default {}\nexport const b: number = 'b'\n`,
  })
  t.match(await runRowhouse(t, ['check', directory]), {
    code: 1,
    stderr:
      /^modules\/b\.tsx is not run: .*\nmodules\/a\.ts:3:14: .*\(TS2322\)\nrowhouse\.config\.ts:2:14: .*\(TS2322\)\n$/,
  })
})

t.test('an app in the folder src is told of where there is none beside it', async (t) => {
  t.match(await refusal(t, { src: { modules } }), [
    /^there is no app in .*, but there is one in its folder src; name that folder$/,
  ])
  t.match(await refusal(t, { src: { 'index.ts': hello } }), [/^there is no app in .*: it has neither tables\.ts nor /])
})

t.test('what an app calls its own files is no mistake, however much it looks like one', async (t) => {
  await starts(t, {
    'other configuration files': {
      modules,
      'vite.config.ts': '',
      'tsup.config.ts': '',
      'house.config.ts': '',
      'rowhouse.ts': '',
      'rowhouse.db': '',
      'rowhouse.service': '',
      'rowhouse.conf': '',
      'rowhouse.json': '{}',
    },
    'an example, a copy and a type of the configuration': {
      modules,
      'rowhouse.config.example.ts': '',
      'rowhouse.config.ts.bak': '',
      'rowhouse.config.d.ts': '',
      'rowhouse.config.test.ts': '',
      'rowhouse.config.md': '',
    },
    'data beside the configuration': {
      modules,
      'rowhouse.config.ts': 'export default {}',
      'rowhouse.config.json': '{}',
      'rowhouse-config.ts': '',
    },
    'a table of contents': { modules, 'table-of-contents.ts': tables, 'tables.test.ts': tables, 'tables.json': '{}' },
    'a table that is none of the database': {
      modules: { 'a.ts': `import { html } from '../table.js'\n${hello}void html` },
      'table.ts': `export const html = '<table>'`,
      tables: { 'index.ts': 'export const rows = []' },
    },
    'tables of a folder': { modules, 'tables.ts': tables, 'table.ts': tables, tables: { 'index.ts': tables } },
    'a folder of its own beside modules': { modules, module: { ...modules }, 'module.ts': hello },
    'a module that declares nothing': {
      modules: {
        ...modules,
        'mail.tsx': `import { HttpError } from 'rowhouse'`,
        'old.cjs': 'exports.a = router.route("/a")',
        'b.test.tsx': hello,
        '_c.tsx': hello,
        'd.d.cts': '',
      },
      models: { ...modules },
    },
    'pages of a site': {
      pages: { ...pages, apis: { 'a.ts': route }, 'index.tsx': '' },
      page: { api: { 'a.ts': route } },
    },
    'what middleware shares': {
      pages: { ...pages, 'middleware.ts': guard, '_middleware.ts': guard },
      'middleware.ts': guard,
    },
    'no middleware': {
      pages: { api: { 'hello.ts': route, '_middleware.ts': 'export const user = 1' } },
      'middleware.ts': 'export const withUser = 1',
    },
  })
})
