import t from 'tap'
import { cookies, eventStream, HttpResponse, httpEndpoint, request, route, type Media, type ServerSentEvent } from 'rowhouse'
import { startApp } from './support/app.ts'
import { openPage } from './support/browser.ts'
import { needs } from './support/needs.ts'

const skip = needs('a browser')

const page = (body: string): HttpResponse => new HttpResponse(200, `<!doctype html><meta charset="utf-8"><title>test</title>${body}`, { 'content-type': 'text/html' })

t.test('a form with files that a browser sends arrives as it was filled in', { skip }, async (t) => {
  const { url } = await startApp(t, () => {
    route('/', () => page('<form method="post" action="/form" enctype="multipart/form-data"><input name="title"><textarea name="text"></textarea><input type="file" name="files" multiple><input type="file" name="none"><input name="näme &quot;x&quot;" value="v"><button>Send</button></form>'))
    route('/form', { methods: ['POST'] }, async () => {
      const { files, ...others } = request.files
      const list = [files].flat().filter((file): file is Media => file !== undefined)
      return {
        fields: request.formParams,
        others: Object.keys(others),
        files: await Promise.all(list.map(async ({ name, contentType, bytes }) => ({ name, contentType, bytes: Buffer.from(bytes).toString('latin1') }))),
      }
    })
  })
  const tab = await openPage(t)
  await tab.goto(url)
  await tab.fill('[name=title]', 'Wash & “dry”')
  await tab.fill('[name=text]', 'one\ntwo')
  const bytes = Buffer.from(Array.from({ length: 256 }, (_, index) => index))
  await tab.setInputFiles('[name=files]', [
    { name: 'plain.txt', mimeType: 'text/plain', buffer: Buffer.from('hello\r\n--boundary\r\n') },
    { name: 'é "quoted" 100%.bin', mimeType: 'application/octet-stream', buffer: bytes },
    { name: 'empty.png', mimeType: 'image/png', buffer: Buffer.alloc(0) },
  ])
  await Promise.all([tab.waitForURL(`${url}/form`), tab.click('button')])
  const received = JSON.parse(await tab.innerText('body')) as unknown
  t.same(received, {
    fields: { title: 'Wash & “dry”', text: 'one\r\ntwo', 'näme "x"': 'v' },
    others: [],
    files: [
      { name: 'plain.txt', contentType: 'text/plain', bytes: 'hello\r\n--boundary\r\n' },
      { name: 'é "quoted" 100%.bin', contentType: 'application/octet-stream', bytes: bytes.toString('latin1') },
      { name: 'empty.png', contentType: 'image/png', bytes: '' },
    ],
  })
})

t.test('a browser is shown a page for an error, and runs nothing of what was asked for', { skip }, async (t) => {
  const { url } = await startApp(t, () => httpEndpoint('/:name', ({ name }) => Promise.reject(new Error(name))))
  const tab = await openPage(t)
  await tab.goto(`${url}/nothing/${encodeURIComponent('<script>document.title="run"</script>')}`)
  t.equal(await tab.title(), '404 Not Found')
  await tab.goto(`${url}/_/api/${encodeURIComponent('<img src=x onerror=\'document.title="run"\'>')}`)
  t.equal(await tab.title(), '500 Internal Server Error')
  t.match(await tab.innerText('body'), /An exception was raised/)
})

t.test('EventSource gets the events, and goes on where it was cut off', { skip }, async (t) => {
  const lastEventIds: (string | undefined)[] = []
  const { url } = await startApp(t, () => {
    route('/', () => page(''))
    route('/events', () => {
      lastEventIds.push(request.headers['last-event-id'])
      return eventStream(count(Number(request.headers['last-event-id'] ?? 0)))
    })
    async function* count(last: number): AsyncGenerator<ServerSentEvent> {
      for (let number = last + 1; number <= last + 2; number++) yield { event: 'number', id: String(number), data: { number }, retry: 10 }
    }
  })
  const tab = await openPage(t)
  await tab.goto(url)
  const received = await tab.evaluate(`new Promise((resolve) => {
    const numbers = []
    const source = new EventSource('/events')
    source.addEventListener('number', ({ data }) => {
      numbers.push(JSON.parse(data).number)
      if (numbers.length === 5) { source.close(); resolve(numbers) }
    })
  })`)
  t.same(received, [1, 2, 3, 4, 5])
  t.same(lastEventIds.slice(0, 3), [undefined, '2', '4'])
})

t.test('a browser keeps an encrypted cookie, shows it to no script, and brings it along for no other site', { skip }, async (t) => {
  const visits = (): number => {
    const visit = cookies.local.get('visits', 0) + 1
    cookies.local.set('visits', visit)
    return visit
  }
  const { url } = await startApp(t, () => {
    route('/', () => page(`<p>${visits()}</p>`).setCookie('plain', 'a b', { httpOnly: false }))
    route('/visit', { methods: ['GET', 'POST'] }, () => [visits(), request.cookies['plain'] ?? null])
  })
  const other = await startApp(t, () => route('/', () => page(`<form method="post" action="${url}/visit"><button>Post</button></form><a href="${url}/visit">Go</a>`)), { name: 'other' })
  const foreign = other.url.replace('127.0.0.1', 'localhost')
  const tab = await openPage(t)
  await tab.goto(url)
  await tab.goto(url)
  t.equal(await tab.innerText('p'), '2')
  t.equal(await tab.evaluate('document.cookie'), 'plain=a%20b')
  t.same(await tab.evaluate(`fetch('/visit').then((answer) => answer.json())`), [3, 'a b'])
  for (const [selector, what] of [['button', 'a form'], ['a', 'a link']] as const) {
    await tab.goto(foreign)
    await Promise.all([tab.waitForURL(`${url}/visit`), tab.click(selector)])
    t.same(JSON.parse(await tab.innerText('body')), [1, null], `${what} of another site begins anew`)
    t.same(await tab.evaluate(`fetch('/visit').then((answer) => answer.json())`), [what === 'a form' ? 4 : 5, 'a b'], 'and changes nothing here')
  }
})
