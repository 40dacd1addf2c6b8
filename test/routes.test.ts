import { mkdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { array, constantFrom, record, sample, uniqueArray, type Arbitrary } from 'fast-check'
import t from 'tap'
import { createApp, httpEndpoint, integer, request, route, urlFor, type LinkParameters } from 'rowhouse'
import { buildApp, startApp, temporaryFolder } from './support/app.ts'
import { takesLong } from './support/needs.ts'

t.test('a route is served at its path without a prefix, and answers GET unless it names its methods', async (t) => {
  const { server } = await buildApp(t, () => {
    route('/', () => 'Welcome')
    route('/articles/<articleid>', ({ articleid }) => `You are reading ${articleid}`)
    route('/echo', { methods: ['GET', 'PATCH'] }, () => `ECHO: ${request.method}\n`)
  })
  t.equal((await server.inject('/')).body, 'Welcome')
  t.equal((await server.inject('/articles/123')).body, 'You are reading 123')
  t.equal((await server.inject('/_/api/articles/123')).statusCode, 404, 'and nowhere else')
  t.equal((await server.inject('/articles/123')).headers['content-type'], 'text/plain; charset=utf-8')
  const refused = await server.inject({ method: 'POST', url: '/articles/123' })
  t.equal(refused.statusCode, 405)
  t.equal(refused.headers['allow'], 'GET, HEAD, OPTIONS')
  t.equal((await server.inject({ method: 'PATCH', url: '/echo' })).body, 'ECHO: PATCH\n')
  t.equal((await server.inject({ method: 'DELETE', url: '/echo' })).headers['allow'], 'GET, PATCH, HEAD, OPTIONS')
})

t.test('a path that is declared with percent signs answers requests that are written the same, or mean the same', async (t) => {
  const { server } = await buildApp(t, () => {
    for (const path of ['/a%20b', '/100%25', '/a%2Fb', '/%C3%BC/x%3Fy']) route(path, { name: path }, () => `${path}, linked as ${urlFor(path)}`)
    httpEndpoint('/a%20b', () => request.path)
  })
  const cases: [string, string][] = [
    ['/a%20b', '/a%20b'], ['/100%25', '/100%25'], ['/a%2fb', '/a%2Fb'], ['/ü/x%3Fy', '/%C3%BC/x%3Fy'], ['/%c3%bc/%78%3fy', '/%C3%BC/x%3Fy'],
  ]
  for (const [asked, path] of cases) t.equal((await server.inject(asked)).body, `${path}, linked as ${path}`, asked)
  for (const asked of ['/a%2520b', '/100%2525', '/a/b', '/a%252Fb', '/a+b']) t.equal((await server.inject(asked)).statusCode, 404, asked)
  t.equal((await server.inject('/_/api/a%20b')).body, '/a b')
})

/** Routes by path, each answering with its index and its arguments. */
function declare(paths: readonly string[]): void {
  for (const [index, path] of paths.entries()) route(path, (args) => ({ route: index, args }))
}

t.test('a converter takes what Werkzeug’s takes, and hands over its value', async (t) => {
  const { server } = await buildApp(t, () =>
    declare([
      '/int/<int:x>',
      '/digits/<int(3):x>',
      '/range/<int(min=1, max=9):x>',
      '/signed/<int(signed=True):x>',
      '/float/<float:x>',
      '/signedfloat/<float(signed=true, max=2.5):x>',
      '/string/<string:x>',
      '/two/<string(length=2):x>',
      '/some/<string(minlength=2, maxlength=3):x>',
      "/any/<any(a, 'b c'):x>",
      '/uuid/<uuid:x>',
      '/path/<path:x>',
      '/colon/:x',
    ]),
  )
  const cases: readonly (readonly [string, string | number | null])[] = [
    ['/int/0', 0], ['/int/7', 7], ['/int/007', 7], ['/int/9007199254740991', 9007199254740991], ['/int/9007199254740992', null],
    ['/int/-1', null], ['/int/1.5', null], ['/int/abc', null], ['/int/', null], ['/int/1e3', null], ['/int/+1', null], ['/int/%31', 1], ['/int/٣', null], ['/int/1%20', null],
    ['/digits/007', 7], ['/digits/7', null], ['/digits/1234', null],
    ['/range/1', 1], ['/range/9', 9], ['/range/0', null], ['/range/10', null],
    ['/signed/-5', -5], ['/signed/5', 5], ['/signed/-0', 0], ['/signed/--5', null],
    ['/float/1.5', 1.5], ['/float/01.50', 1.5], ['/float/1', null], ['/float/1.', null], ['/float/.5', null], ['/float/-1.5', null], ['/float/1.5e3', null], ['/float/1e3', null],
    ['/signedfloat/-1.5', -1.5], ['/signedfloat/2.6', null],
    ['/string/a%20b', 'a b'], ['/string/a%2Fb', 'a/b'], ['/string/a/b', null], ['/string/', null],
    ['/two/ab', 'ab'], ['/two/a', null], ['/two/abc', null], ['/two/%F0%9F%98%80%F0%9F%98%80', '😀😀'],
    ['/some/a', null], ['/some/ab', 'ab'], ['/some/abc', 'abc'], ['/some/abcd', null],
    ['/any/a', 'a'], ['/any/b%20c', 'b c'], ['/any/c', null],
    ['/uuid/9D3F1F9A-0F4B-4C5D-8E6F-112233445566', '9d3f1f9a-0f4b-4c5d-8e6f-112233445566'], ['/uuid/9d3f1f9a', null],
    ['/path/a/b/c', 'a/b/c'], ['/path/a', 'a'], ['/path/a//b', 'a//b'], ['/path/', null], ['/path', null], ['/path//a', null],
    ['/colon/a%20b', 'a b'],
  ]
  for (const [path, value] of cases) {
    const answer = await server.inject(path)
    t.equal(answer.statusCode, value === null ? 404 : 200, path)
    if (value !== null) t.equal(answer.json<{ args: { x: unknown } }>().args.x, value, path)
  }
})

t.test('a converter of the path makes a number for TypeScript and for a declared parameter too', async (t) => {
  const { server } = await buildApp(t, () => {
    route('/next/<int:n>/<float(min=1):f>/<name>/:other', ({ n, f, name, other }) => (n satisfies number) + (f satisfies number) + (name satisfies string).length + (other satisfies string).length)
    httpEndpoint('/typed/<int:n>', { params: { n: integer() } }, ({ n }) => n + 1)
  })
  t.equal((await server.inject('/next/1/2.5/abc/de')).body, '8.5')
  t.equal((await server.inject('/_/api/typed/41')).body, '42')
})

t.test('static goes before converter, converter before parameter, parameter before the rest, whatever the order', async (t) => {
  const paths = ['/mix/<path:x>', '/mix/<x>', '/mix/<float:x>', '/mix/<int:x>', '/mix/<int(max=9):x>', '/mix/<any(yes, no):x>', '/mix/static']
  for (const order of [paths, paths.toReversed()]) {
    const { server } = await buildApp(t, () => declare(order))
    const winner = async (path: string): Promise<string | undefined> => order[(await server.inject(path)).json<{ route: number }>().route]
    t.equal(await winner('/mix/static'), '/mix/static')
    t.equal(await winner('/mix/yes'), '/mix/<any(yes, no):x>')
    t.equal(await winner('/mix/7'), '/mix/<int(max=9):x>')
    t.equal(await winner('/mix/12'), '/mix/<int:x>', 'a converter that does not fit falls to the next')
    t.equal(await winner('/mix/1.5'), '/mix/<float:x>')
    t.equal(await winner('/mix/abc'), '/mix/<x>')
    t.equal(await winner('/mix/a/b'), '/mix/<path:x>')
  }
})

t.test('a mistake in a path stops the start and says what it is', async (t) => {
  const cases: readonly (readonly [string, RegExp])[] = [
    ['/a/<itn:x>', /no converter "itn"; did you mean "int"\?/],
    ['/a/<int(mim=1):x>', /int has no argument "mim"; it takes fixed_digits, min, max, signed/],
    ['/a/<int(min=a):x>', /argument min of the converter int is a number, got "a"/],
    ['/a/<int(1, 2, 3, 4):x>', /int has the argument 4, which it does not take/],
    ['/a/<int(min=1, min=2):x>', /argument min twice/],
    ['/a/<int(min=):x>', /arguments that cannot be read/],
    ['/a/<any():x>', /any takes the values/],
    ['/a/<uuid(1):x>', /uuid has the argument 1.*it takes none/],
    ['/a/<path(1):x>', /path, which takes none/],
    ['/a/<path:x>/b', /stands for all the rest of a path; put it last/],
    ['/a/<x>/<int:x>', /two parameters called "x"/],
    ['/a/<>', /has a parameter "<>"/],
    ['/a/<int:>', /has a parameter "<int:>"/],
    ['/a/x<int:y>', /has a parameter "x<int:y>"/],
    ['/a/<int:y', /has a parameter "<int:y"/],
    ['a', /a path starts with "\/"/],
  ]
  for (const [path, message] of cases) await t.rejects(buildApp(t, () => route(path, () => 1)), { name: 'DeclarationError', message }, path)
  await t.rejects(
    buildApp(t, () => declare(['/a/<int(min=1, max=2):x>', '/a/<int(max=2,  min=1):y>'])),
    { message: /GET \/a\/<int\(max=2, {2}min=1\):y> is declared twice/ },
    'arguments in another order are the same shape',
  )
  await t.rejects(buildApp(t, () => declare(['/a/<x>', '/a/:y'])), { message: /declared twice/ })
  await t.resolves(buildApp(t, () => declare(['/a/<int:x>', '/a/<int(signed=False, min=1):y>'])), 'different converters are different shapes')
})

t.test('urlFor makes the path of an endpoint from its name and parameters', async (t) => {
  const { server } = await buildApp(t, () => {
    route('/articles', function apiArticles() {
      return `List of ${urlFor('apiArticles')}`
    })
    route('/articles/<articleid>', { name: 'article' }, ({ articleid }) => articleid)
    route('/years/<int(4):year>/<float:rate>/<uuid:id>', { name: 'year' }, () => 1)
    route('/files/<path:file>', { name: 'file' }, () => 1)
    httpEndpoint('/tasks/:id', { name: 'task' }, () => 1)
    httpEndpoint('/tasks/:id', { name: 'task', methods: ['DELETE'] }, () => 1)
    const twice = (): number => 1
    route('/one', twice)
    route('/two', twice)
    route('/by/<constructor>', { name: 'by' }, () => 1)
    route('/url/<name>', ({ name }) => {
      try {
        return urlFor(name, JSON.parse(String(request.queryParams['params'])) as LinkParameters)
      } catch (error) {
        return `refused: ${(error as Error).message}`
      }
    })
  })
  t.equal((await server.inject('/articles')).body, 'List of /articles')
  const build = async (name: string, params: unknown): Promise<string> => (await server.inject({ url: `/url/${name}`, query: { params: JSON.stringify(params) } })).body
  t.equal(await build('article', { articleid: 'a b' }), '/articles/a%20b')
  t.equal(await build('article', { articleid: 'a/b?c', page: 2, tag: ['x', 'y&z'], none: null }), '/articles/a%2Fb%3Fc?page=2&tag=x&tag=y%26z')
  t.equal(await build('year', { year: 33, rate: 2, id: '9D3F1F9A-0F4B-4C5D-8E6F-112233445566' }), '/years/0033/2.0/9D3F1F9A-0F4B-4C5D-8E6F-112233445566')
  t.equal(await build('file', { file: 'a b/c' }), '/files/a%20b/c')
  t.equal(await build('task', { id: '[23,568]' }), '/_/api/tasks/%5B23%2C568%5D', 'the prefix included; two methods of one path are one name')
  t.match(await build('article', {}), /^refused: urlFor\(\): the path of "article" needs the parameter "articleid"$/)
  t.match(await build('year', { year: -1, rate: 2, id: 'x' }), /"year" of "year" takes int\(fixed_digits=4\), got "-1"/)
  t.match(await build('artikle', {}), /no endpoint called "artikle"; did you mean "article"\?/)
  t.match(await build('ARTICLE', {}), /did you mean "article"\?$/)
  t.match(await build('bar', {}), /no endpoint called "bar"; known are: apiArticles, article, /, 'short names are all alike')
  t.match(await build('by', {}), /^refused: urlFor\(\): the path of "by" needs the parameter "constructor"$/, 'which every object inherits')
  t.equal(await build('by', { constructor: 'me' }), '/by/me')
  const { server: nameless, log } = await buildApp(t, () => route('/', () => urlFor('hello')))
  t.equal((await nameless.inject('/')).statusCode, 500)
  t.match(JSON.stringify(log), /no endpoint called \\"hello\\"; none has a name, which is given by the option name or by a handler function that has one/)
  t.match(await build('twice', {}), /several endpoints are called "twice"/)
  for (const articleid of ['', '..', '.']) t.match(await build('article', { articleid }), /^refused/, 'what no client could ask for')
  await t.rejects(
    buildApp(t, () => {
      route('/one', { name: 'same' }, () => 1)
      route('/two', { name: 'same' }, () => 1)
    }),
    { message: /the name "same" is given twice: here to \/two and at .*:\d+ to \/one/ },
  )
})

/** The parts that paths are generated from. A plain specification of each: how specific it is, and what it takes of one part of a path (undefined for what it does not). */
const parts: Readonly<Record<string, { readonly rank: number; readonly take: (text: string) => unknown }>> = {
  a: { rank: 0, take: (text) => (text === 'a' ? text : undefined) },
  b: { rank: 0, take: (text) => (text === 'b' ? text : undefined) },
  '7': { rank: 0, take: (text) => (text === '7' ? text : undefined) },
  '<any(a, c):NAME>': { rank: 1, take: (text) => (text === 'a' || text === 'c' ? text : undefined) },
  '<int(max=9, min=5):NAME>': { rank: 2, take: (text) => (['5', '6', '7', '8', '9', '07'].includes(text) ? Number(text) : undefined) },
  '<int:NAME>': { rank: 3, take: (text) => ([...text].every((digit) => '0123456789'.includes(digit)) && text !== '' ? Number.parseInt(text, 10) : undefined) },
  '<float:NAME>': { rank: 4, take: (text) => (text === '1.5' || text === '10.25' ? Number.parseFloat(text) : undefined) },
  '<string(length=2):NAME>': { rank: 5, take: (text) => (text.length === 2 ? text : undefined) },
  ':NAME': { rank: 6, take: (text) => (text === '' ? undefined : text) },
}
const rest = { text: '<path:NAME>', rank: 7 }
const texts = ['a', 'b', 'c', '7', '07', '12', '1.5', 'ab', '10.25', 'a/b', '']

const somePattern = record({
  parts: array(constantFrom(...Object.keys(parts)), { maxLength: 3 }),
  end: constantFrom('none', 'none', 'slash', 'rest'),
})
const someSet = record({
  patterns: uniqueArray(somePattern, { minLength: 1, maxLength: 8, selector: ({ parts, end }) => [...parts, end].join('/') }),
  paths: array(array(constantFrom(...texts), { minLength: 1, maxLength: 4 }), { minLength: 6, maxLength: 6 }),
})
type Pattern = typeof somePattern extends Arbitrary<infer P> ? P : never

/** What the pattern makes of a path: its arguments, or null. */
function apply({ parts: keys, end }: Pattern, path: readonly string[]): Record<string, unknown> | null {
  const ends = { none: path.length === keys.length, slash: path.length === keys.length + 1 && path.at(-1) === '', rest: path.length > keys.length && path[keys.length] !== '' }[end]
  const taken = keys.map((key, index) => parts[key]?.take(path[index] ?? ''))
  if (ends !== true || taken.includes(undefined)) return null
  const args = taken.map((value, index) => [`p${index}`, value] as const).filter((_, index) => keys[index]?.includes('NAME'))
  return Object.fromEntries(end === 'rest' ? [...args, [`p${keys.length}`, path.slice(keys.length).join('/')]] : args)
}

/** The ranks of a pattern's parts, which decide between two of them at the first part in which they differ. */
function ranks({ parts: keys, end }: Pattern): string {
  return keys.map((key) => parts[key]?.rank).join('') + { none: '', slash: '0', rest: String(rest.rank) }[end]
}

t.test('2,000 generated sets of routes match as a plain specification says', { skip: takesLong('it asks 12,000 times') }, async (t) => {
  const seed = Date.now()
  const sets = sample(someSet, { numRuns: 2000, seed })
  const toPath = ({ parts: keys, end }: Pattern): string =>
    [...keys, ...(end === 'slash' ? [''] : end === 'rest' ? [rest.text] : [])].map((key, index) => `/${key.replace('NAME', `p${index}`)}`).join('')
  const { server } = await buildApp(t, () => {
    for (const [index, { patterns }] of sets.entries()) for (const [number, pattern] of patterns.entries()) route(`/set${index}${toPath(pattern)}`, (args) => ({ number, args }))
  })
  let compared = 0
  for (const [index, { patterns, paths }] of sets.entries()) {
    for (const path of paths) {
      const fitting = patterns.map((pattern, number) => ({ number, args: apply(pattern, path), ranks: ranks(pattern) })).filter(({ args }) => args !== null)
      const [best] = fitting.sort((one, other) => (one.ranks < other.ranks ? -1 : 1))
      const answer = await server.inject(`/set${index}/${path.map(encodeURIComponent).join('/')}`)
      const expected = best === undefined ? 404 : { number: best.number, args: best.args }
      const got: unknown = answer.statusCode === 200 ? answer.json() : answer.statusCode
      compared++
      if (JSON.stringify(got) === JSON.stringify(expected)) continue
      t.same(got, expected, `/${path.join('/')} in the set ${patterns.map(toPath).join(' ')}, seed ${seed}`)
      return
    }
  }
  t.equal(compared, 12_000)
})

/** Files of a folder, as parts of a path: a text, `[p]`, and at the end perhaps `[...p]` or `[[...p]]`. */
const someFiles = record({
  files: uniqueArray(
    record({ folders: array(constantFrom('a', 'b', '[p]'), { maxLength: 2 }), end: constantFrom('a', '[p]', '[...rest]', '[[...rest]]', 'index') }),
    { minLength: 1, maxLength: 6, selector: ({ folders, end }) => [...folders, ...(end === 'index' ? [] : [end])].join('/') },
  ),
  paths: array(array(constantFrom('a', 'b', 'c', ''), { maxLength: 3 }), { minLength: 12, maxLength: 12 }),
})

/** How specific each part of a file's path is, and whether it takes the parts of a request's path from here on; null when it does not. */
function judge(parts: readonly string[], path: readonly string[]): string | null {
  const [part, ...others] = parts
  if (part === undefined) return path.length === 0 ? '' : null
  const [text, ...rest] = path
  if (part === '[[...rest]]') return text === '' ? null : '4'
  if (text === undefined) return null
  if (part === '[...rest]') return text === '' ? null : '3'
  const isTaken = part === '[p]' ? text !== '' : part === text
  const behind = isTaken ? judge(others, rest) : null
  return behind === null ? null : `${part === '[p]' ? 2 : 0}${behind}`
}

t.test('generated folders of file routes match as a plain specification says', { skip: takesLong('it writes and compiles hundreds of files') }, async (t) => {
  const seed = Date.now()
  const sets = sample(someFiles, { numRuns: 60, seed })
  const folder = await temporaryFolder(t)
  for (const [index, { files }] of sets.entries()) {
    for (const [number, { folders, end }] of files.entries()) {
      const parts = folders.map((part, depth) => part.replace('p', `p${depth}`))
      const file = join(folder, 'pages/api', `set${index}`, ...parts, `${end.replace('[p]', '[last]')}.ts`)
      await mkdir(dirname(file), { recursive: true })
      await writeFile(file, `export const get = () => ${number}`)
    }
  }
  const server = await createApp({ directory: folder, logTo: { write: () => undefined } })
  t.teardown(() => server.close())
  let compared = 0
  for (const [index, { files, paths }] of sets.entries()) {
    for (const path of paths) {
      const fitting = files.map(({ folders, end }, number) => ({ number, ranks: judge(end === 'index' ? folders : [...folders, end], path) })).filter(({ ranks }) => ranks !== null)
      // A path that ends is more specific than one that may go on.
      const [best] = fitting.sort((one, other) => (String(one.ranks) < String(other.ranks) ? -1 : 1))
      const answer = await server.inject(`/api/set${index}${path.map((text) => `/${text}`).join('')}`)
      const expected = best === undefined ? 404 : best.number
      const got = answer.statusCode === 200 ? answer.json<number>() : answer.statusCode
      compared++
      if (got !== expected) return t.equal(got, expected, `/${path.join('/')} in ${files.map(({ folders, end }) => [...folders, end].join('/')).join(' ')}, seed ${seed}`)
    }
  }
  return t.equal(compared, 720)
})

t.test('a path that almost matches many routes is refused quickly', async (t) => {
  const { url } = await startApp(t, () => {
    for (let index = 0; index < 200; index++) route(`/${Array.from({ length: 12 }, (_, depth) => (index & (1 << depth) ? '<int:pDEPTH>' : ':pDEPTH').replace('DEPTH', String(depth))).join('/')}/end${index}`, () => 1)
  })
  const started = performance.now()
  t.equal((await fetch(`${url}/${Array(12).fill('1').join('/')}/nothing`)).status, 404)
  t.ok(performance.now() - started < 5000, 'no branch is walked twice')
})
