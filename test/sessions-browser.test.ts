import t, { type Test } from 'tap'
import { csrfToken, HttpError, HttpResponse, request, route, users } from 'rowhouse'
import { startApp, type Settings } from './support/app.ts'
import { openPage } from './support/browser.ts'
import { needs } from './support/needs.ts'

const skip = needs('a browser')
const password = 'a quiet afternoon'

const page = (body: string): HttpResponse => new HttpResponse(200, `<!doctype html><meta charset="utf-8"><title>test</title>${body}`, { 'content-type': 'text/html' })

/** An app with pages, and what its endpoints were told. */
async function appWith(t: Test, settings: Settings = {}) {
  const told: string[] = []
  const tell = (what: string): string => {
    told.push(`${request.headers.get('sec-fetch-site')}: ${what} by ${users.getUser()?.email ?? 'nobody'}`)
    return what
  }
  const app = await startApp(
    t,
    () => {
      route('/', () => page(users.getUser()?.email ?? 'nobody'))
      route('/sign-in', () => page('<form method="post"><input name="email"><input name="password" type="password"><button>Sign in</button></form>'))
      route('/sign-in', { methods: ['POST'] }, async ({ email, password }) => {
        const user = await users.verify(String(email), String(password))
        if (user === null) throw new HttpError(403, 'wrong')
        await users.logIn(user)
        return new HttpResponse(303, null, { location: '/' })
      })
      route('/mine', { authenticateUsers: true }, (_args, { user }) => user.email)
      route('/change', { methods: ['GET', 'POST'] }, () => tell('changed'))
      route('/note', () => page(`<form method="post"><input type="hidden" name="_csrf" value="${csrfToken()}"><textarea name="text"></textarea><input name="password" type="password"><button>Save</button></form>`))
      route('/note', { methods: ['POST'], csrf: true }, ({ text, password }) => tell(`${JSON.stringify(text)} and ${String(password)}`))
    },
    settings,
  )
  await app.server.rowhouse.users.add('ann@example.com', password)
  return { ...app, told }
}

t.test('a session stays at home: pages of another origin get nothing out of it, by fetch, form, image or link', { skip }, async (t) => {
  const { url, port, told } = await appWith(t)
  // By another name of this machine, which is another site, and by another port of the same name, which is a neighbour that browsers do send cookies for.
  const neighbour = await startApp(t, () => {
    route('/', ({ target }) => page(`<form method="post" action="${String(target)}"><button>Send</button></form><a href="${String(target)}">Link</a>`))
  })
  const tab = await openPage(t)
  await tab.goto(`${url}/sign-in`)
  await tab.fill('[name=email]', 'ann@example.com')
  await tab.fill('[name=password]', password)
  await Promise.all([tab.waitForURL(`${url}/`), tab.click('button')])
  t.equal(await tab.innerText('body'), 'ann@example.com')
  const [cookie] = await tab.context().cookies()
  t.match(cookie, { name: 'rowhouse_test_session', httpOnly: true, sameSite: 'Lax', secure: false, path: '/' })
  t.equal(await tab.evaluate('document.cookie'), '', 'no script sees it')

  for (const foreign of [`http://localhost:${neighbour.port}`, `http://127.0.0.1:${neighbour.port}`]) {
    told.length = 0
    const target = `http://127.0.0.1:${port}/change`
    await tab.goto(`${foreign}/?target=${encodeURIComponent(target)}`)
    await tab.evaluate(`fetch(${JSON.stringify(target)}, { method: 'POST', mode: 'no-cors', credentials: 'include' })`)
    await tab.evaluate(`new Promise((resolve) => { const image = new Image(); image.onerror = resolve; image.src = ${JSON.stringify(target)} })`)
    await Promise.all([tab.waitForURL(target), tab.click('button')])
    await tab.goto(`${foreign}/?target=${encodeURIComponent(target)}`)
    await Promise.all([tab.waitForURL(target), tab.click('a')])
    t.equal(told.length, 4, foreign)
    t.same(told.filter((each) => !each.endsWith('by nobody')), [], foreign)
    t.ok(told.every((each) => /^(?:cross|same)-site/.test(each)))
  }
  await tab.goto(url)
  t.equal(await tab.innerText('body'), 'ann@example.com', 'and it goes on')
})

t.test('a browser opens no window of its own to ask for a password, unless the app wants that', { skip }, async (t) => {
  const httpCredentials = { username: 'ann@example.com', password }
  const asked = async (settings: Settings): Promise<(number | undefined)[]> => {
    const { url } = await appWith(t, settings)
    // It would answer such a window with these.
    const tab = await openPage(t, { httpCredentials })
    const status = (await tab.goto(`${url}/mine`))?.status()
    await tab.goto(url)
    return [status, await tab.evaluate<number>(`fetch('/mine').then(({ status }) => status)`)]
  }
  t.same(await asked({}), [401, 401])
  t.same(await asked({ passwordPrompt: true }), [200, 200])
})

t.test('a form that was left open over a log-in is sent once more without being typed anew', { skip }, async (t) => {
  const { url, told } = await appWith(t)
  const tab = await openPage(t)
  await tab.goto(`${url}/note`)
  await tab.fill('textarea', 'one\n"two" & <three>')
  await tab.fill('[name=password]', 'first')
  const other = await tab.context().newPage()
  await other.goto(`${url}/sign-in`)
  await other.fill('[name=email]', 'ann@example.com')
  await other.fill('[name=password]', password)
  await Promise.all([other.waitForURL(`${url}/`), other.click('button')])

  await tab.click('button')
  await tab.waitForSelector('h1')
  t.equal(await tab.innerText('h1'), 'Send once more?')
  t.notMatch(await tab.content(), 'first', 'a password is not shown')
  t.same(told, [])
  await tab.fill('[name=password]', 'again')
  await tab.click('button')
  await tab.waitForFunction('document.querySelector("h1") === null')
  t.same(told, ['same-origin: "one\\r\\n\\"two\\" & <three>" and again by ann@example.com'])

  await tab.goto(`${url}/note`)
  await tab.fill('textarea', 'at once')
  await tab.click('button')
  await tab.waitForFunction('document.querySelector("textarea") === null')
  t.equal(told.length, 2)
})
