import { existsSync, renameSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { createApp } from 'rowhouse'
import { outside } from './support/app.ts'
import { takesLong } from './support/needs.ts'
import { runRowhouse } from './support/rowhouse-process.ts'

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
      'rowhouse-config.cts',
      'rowhouse.settings.tsx',
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
    t.same(
      await refusal(t, { modules, 'rowhouse.config.ts': 'export default {}', 'rowhouse.config.json': '{}' }),
      [`rowhouse.config.json ${why} write them there, as export default defineConfig({ … })`],
      'another format beside the right one, which does not import it',
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
      'table.tsx',
      'tabels.cts',
      'tables.TS',
    ])
      t.same(await refusal(t, { modules, [name]: tables }), [`${name} ${why}`])
    for (const index of ['index.ts', 'index.tsx', 'index.cjs', 'Index.ts']) {
      t.same(await refusal(t, { modules, tables: { [index]: `export * from './all.js'`, 'all.ts': tables } }), [
        `tables/${index} ${why}`,
      ])
    }
    t.same(
      await refusal(t, { modules, 'tables.ts': tables, tables: { 'index.ts': tables } }),
      [`tables/index.ts ${why}`],
      'a folder beside the right file, which does not import it',
    )
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

t.test('a module that lies in module/ beside modules/, or in a file modules.ts, stops the start where nothing imports it', async (t) => {
  const why = 'is not run: modules are files in the folder modules/; move it there, or import it'
  t.same(await refusal(t, { modules, module: { deep: { 'b.ts': hello }, 'c.ts': hello } }), [`module/c.ts ${why}`, `module/deep/b.ts ${why}`])
  for (const name of ['module.ts', 'modules.mjs']) t.same(await refusal(t, { modules, [name]: hello }), [`${name} ${why}`])
  const one = `import './module/b.js'\n${tables}`
  t.same(await refusal(t, { modules, 'tables.ts': one, module: { 'b.ts': hello.replace('/hello', '/b'), 'c.ts': hello } }), [`module/c.ts ${why}`], 'one of two is imported')
})

t.test('a file in modules/ or pages/api/ whose extension has capital letters stops the start, whatever it declares', async (t) => {
  const why = 'is not run: write its extension in small letters, or begin its name with _ if it is to be left out'
  for (const name of ['tasks.TS', 'tasks.Js', 'tasks.MTS', 'tasks.tsX', 'tasks.CJS']) {
    t.same(await refusal(t, { modules: { ...modules, deep: { [name]: 'start()' } } }), [`modules/deep/${name} ${why}`])
    t.same(await refusal(t, { pages: { api: { ...pages.api, deep: { [name]: 'start()' } } } }), [
      `pages/api/deep/${name} ${why}`,
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
    const names = ['Middleware.ts', 'MIDDLEWARE.mjs', 'middleware.TS', 'middlewares.ts', 'middelware.ts']
    for (const name of [...names, '_middleware.js', '_middleware.tsx', '.middleware.ts']) {
      t.same(await refusal(t, { pages: { ...pages, [name]: guard } }), [`pages/${name} ${why}`])
      t.same(await refusal(t, { pages: { api: { ...pages.api, [name]: guard } } }), [`pages/api/${name} ${why}`])
    }
    for (const source of [
      `module.exports = (request, next) => next()\n`,
      `export { guard as default } from '../lib/guard.js'\n`,
      `export { default } from '../lib/guard.js'\n`,
      `const guard = 1\nexport { guard as middleware }\n`,
    ])
      t.same(await refusal(t, { pages: { ...pages, '_middleware.ts': source } }), [`pages/_middleware.ts ${why}`])
    for (const folder of ['middleware', 'Middleware', '_middleware', 'middlewares', 'middleware.ts']) {
      for (const file of ['index.ts', 'auth.cjs', 'index.mjs']) {
        t.same(await refusal(t, { pages: { ...pages, [folder]: { [file]: guard } } }), [`pages/${folder}/${file} ${why}`])
        t.same(await refusal(t, { pages: { api: { ...pages.api, users: { [folder]: { [file]: guard } } } } }), [
          `pages/api/users/${folder}/${file} ${why}`,
        ])
      }
    }
    t.same(
      await refusal(t, { pages: { api: { '(staff)': { '_middleware.ts': guard, deep: { 'hello.ts': route } } } } }),
      [`pages/api/(staff)/_middleware.ts ${why}`],
    )
    t.same(await refusal(t, { pages, 'middleware.ts': 'export function middleware(request) {}' }), [
      `middleware.ts ${why}`,
    ])
  },
)

t.test('all of them are told at once, and renaming helps', { skip: takesLong('it runs the command three times') }, async (t) => {
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

t.test('check tells of them together with mistakes of types, those of the configuration file too', { skip: takesLong('it runs the compiler') }, async (t) => {
  const directory = t.testdir({
    modules: { 'a.ts': `${hello}export const a: number = 'a'\n`, 'b.TS': hello },
    'rowhouse.config.ts': `export default {}\nexport const b: number = 'b'\n`,
  })
  t.match(await runRowhouse(t, ['check', await outside(t, directory)]), {
    code: 1,
    stderr:
      /^modules\/b\.TS is not run: .*\nmodules\/a\.ts:3:14: .*\(TS2322\)\nrowhouse\.config\.ts:2:14: .*\(TS2322\)\n$/,
  })
})

t.test('an app in the folder src is told of where there is none beside it', async (t) => {
  t.match(await refusal(t, { src: { modules } }), [
    /^there is no app in .*, but there is one in its folder src; name that folder$/,
  ])
  t.match(await refusal(t, { src: { 'index.ts': hello } }), [/^there is no app in .*: it has neither tables\.ts nor /])
})

t.test('what an app calls its own files is no mistake, however much it looks like one', { skip: takesLong('it starts thirteen apps') }, async (t) => {
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
      'rowhouse.config.ts': `import settings from './rowhouse.config.json' with { type: 'json' }\nexport default settings`,
      'rowhouse.config.json': '{}',
      'rowhouse-config.ts': '',
    },
    'a table of contents': { modules, 'table-of-contents.ts': tables, 'tables.test.ts': tables, 'tables.json': '{}' },
    'a table that is none of the database': {
      modules: { 'a.ts': `import { html } from '../table.js'\n${hello}void html` },
      'table.ts': `export const html = '<table>'`,
      tables: { 'index.ts': 'export const rows = []' },
    },
    'tables of a folder': {
      modules,
      'tables.ts': `export * from './tables/index.js'`,
      'table.ts': tables,
      tables: { 'index.ts': tables },
    },
    'a folder of its own beside modules': {
      modules: { 'a.ts': `import { help } from '../lib/help.js'\nhelp()\n` },
      lib: { 'help.ts': `export { help } from '../module/b.js'\n` },
      module: { 'b.ts': `${hello}export const help = () => undefined\n`, '_c.ts': hello, 'd.test.ts': hello },
      'module.ts': `import { httpEndpoint } from 'rowhouse'\nexport const declare = () => {\n  httpEndpoint('/declared', () => 1)\n}\n`,
    },
    'what is left out of modules': {
      modules: { ...modules, 'b.test.TSX': hello, '_c.TSX': hello, 'd.d.CTS': '' },
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
    'a folder of its own beside middleware': {
      pages: { ...pages, 'middleware.ts': guard, middleware: { 'auth.ts': guard } },
    },
    'a route about middleware': {
      pages: { api: { middleware: { 'index.ts': route }, 'middlewares.ts': 'export default () => 1' } },
    },
    'no middleware': {
      pages: { api: { 'hello.ts': route, '_middleware.ts': 'export const user = 1' } },
      'middleware.ts': 'export const withUser = 1',
    },
  })
})

t.test('a file that is nearly called fastify.ts stops the start if it exports something by default', async (t) => {
  const plugin = `export default async (app) => void app.get('/hello', () => 'Hello')\n`
  const why = "is not run: the Fastify plugin of an app is its fastify.ts, in the app's folder; rename it"
  for (const name of ['Fastify.ts', 'fastify.TSX', 'fastfy.tsx', 'fastfy.ts']) {
    t.same(await refusal(t, { modules, [name]: plugin }), [`${name} ${why}`])
  }
  t.same(await refusal(t, { modules, 'fastfy.cjs': 'module.exports = (app) => app' }), [`fastfy.cjs ${why}`])
  t.same(await refusal(t, { modules, fastify: { 'index.ts': plugin } }), [`fastify/index.ts ${why}`])
  await starts(t, {
    'beside the right one': { modules, 'fastify.ts': plugin, 'fastifx.ts': plugin, fastify: { 'index.ts': plugin } },
    'one that exports no plugin': { modules, 'fastfy.tsx': 'export const a = 1\n' },
  })
})
