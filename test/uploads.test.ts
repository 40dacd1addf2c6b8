import t from 'tap'
import { defineTables, HttpResponse, media, Media, request, route, table } from 'rowhouse'
import { startApp } from './support/app.ts'
import { openPage } from './support/browser.ts'
import { needs, takesLong } from './support/needs.ts'

const mebibyte = 1024 * 1024

/** What an upload is sent as: a file of a form with these parameters, or a body of its own. */
interface Upload {
  readonly type: string
  readonly content: string | Buffer
  /** The rest of the part's `Content-Disposition`; null for a body of its own. */
  readonly disposition: string | null
}

const html = '<!doctype html><title>shown</title><script>fetch("/ran"); document.title = "ran"</script>'
const svg = '<svg xmlns="http://www.w3.org/2000/svg"><title>shown</title><script>fetch("/ran")</script></svg>'
const xhtml = '<html xmlns="http://www.w3.org/1999/xhtml"><title>shown</title><script>fetch("/ran")</script></html>'
const mixed = `--x\r\nContent-Type: text/html\r\n\r\n${html}\r\n--x--\r\n`

const noNames = ['filename="/"', 'filename=""', 'filename="x/"', 'filename=".."', String.raw`filename="\\"`]
const names = [...noNames, 'filename="page.html"', null]
const types: readonly (readonly [string, string])[] = [
  ['text/html', html],
  ['TEXT/HTML; charset=utf-8', html],
  ['image/svg+xml', svg],
  ['application/xhtml+xml', xhtml],
  ['video/x+xml', xhtml],
  ['text/xml', xhtml],
  ['multipart/x-mixed-replace; boundary=x', mixed],
  ['multipart/related; boundary=x', mixed],
  ['text/plain, text/html', html],
  ['text/html, text/plain', html],
  ['text/plain; a="b, text/html"', html],
  ['text/html x', html],
  ['text/html(x)', html],
  ['text/html;', html],
  ['/', html],
  ['*/*', html],
  ['unknown/unknown', html],
  ['application/octet-stream', html],
  ['text/plain', html],
  ['image/png', html],
  ['text/javascript', 'fetch("/ran")'],
]

function bodyOf({ type, content, disposition }: Upload): { readonly headers: Record<string, string>; readonly body: Buffer } {
  if (disposition === null) return { headers: { 'content-type': type }, body: Buffer.from(content) }
  const head = `--b\r\ncontent-disposition: form-data; name="file"; ${disposition}\r\ncontent-type: ${type}\r\n\r\n`
  const body = Buffer.concat([Buffer.from(head), Buffer.from(content), Buffer.from('\r\n--b--\r\n')])
  return { headers: { 'content-type': 'multipart/form-data; boundary=b' }, body }
}

/** What was uploaded by this request. */
function uploaded(): Media {
  const { body, files } = request
  if (body === null) throw new Error('nothing was uploaded')
  return [files['file'] ?? body].flat()[0] as Media
}

/** The ways of sending an upload back with the type that it claims. */
const ways: Readonly<Record<string, (upload: Media) => unknown>> = {
  'as it is': (upload) => upload,
  'in a response': (upload) => new HttpResponse(200, upload),
  'in a response that repeats its type': (upload) => new HttpResponse(200, upload, { 'content-type': upload.contentType }),
  'in a response with a policy of its own': (upload) => new HttpResponse(200, upload, { 'content-security-policy': "frame-ancestors 'none'" }),
  'its bytes': ({ bytes }) => bytes,
  'its bytes, with its type': ({ bytes, contentType }) => new HttpResponse(200, bytes, { 'content-type': contentType }),
  'its buffer, with its type': async (upload) => new HttpResponse(200, await upload.arrayBuffer(), { 'content-type': upload.contentType }),
  'a view of its bytes, with its type': ({ bytes, contentType }) => new HttpResponse(200, bytes.subarray(0), { 'content-type': contentType }),
  'a view of its buffer, with its type': async (upload) => new HttpResponse(200, Buffer.from(await upload.arrayBuffer()), { 'content-type': upload.contentType }),
  'a view of its bytes, wrapped anew': ({ bytes, contentType }) => new Media(bytes.subarray(0), { contentType }),
  'wrapped anew': ({ bytes, contentType }) => new Media(bytes, { contentType }),
  'wrapped anew, with another name': (upload) => new Media(upload.bytes, { contentType: upload.contentType, name: 'new' }),
  'a copy, wrapped anew, with another name': async (upload) => new Media(await upload.text(), { contentType: upload.contentType, name: 'new' }),
  'a blob': ({ bytes, contentType }) => new Blob([bytes as Uint8Array<ArrayBuffer>], { type: contentType }),
  'a file': ({ bytes, contentType }) => new File([bytes as Uint8Array<ArrayBuffer>], 'x', { type: contentType }),
  'its stream': (upload) => upload.stream(),
  'its stream, with its type': (upload) => new HttpResponse(200, upload.stream(), { 'content-type': upload.contentType }),
  'its stream in a web response, with its type': (upload) => new Response(upload.stream() as ReadableStream<Uint8Array<ArrayBuffer>>, { headers: { 'content-type': upload.contentType } }),
  'a web response without a type': (upload) => new Response(upload.stream() as ReadableStream<Uint8Array<ArrayBuffer>>),
  'a text': (upload) => upload.text(),
}

/** Serves uploads in each of the ways, at once and by way of a column. */
function declareUploads(): { readonly ran: readonly string[] } {
  const { uploads } = defineTables({ uploads: table({ file: media() }) })
  const ran: string[] = []
  for (const [index, answer] of Object.values(ways).entries()) {
    route(`/back/${index}`, { methods: ['POST'], bodyLimit: 3 * mebibyte }, () => answer(uploaded()))
    route(`/kept/${index}/:id`, async ({ id }) => answer((await uploads.getById(id))?.file as Media))
  }
  route('/keep', { methods: ['POST'], bodyLimit: 3 * mebibyte }, async () => (await uploads.addRow({ file: uploaded() })).id)
  route('/ran', () => void ran.push(request.headers['referer'] ?? ''))
  route('/own', () => new HttpResponse(200, html, { 'content-type': 'text/html' }))
  route('/own-bytes', () => new HttpResponse(200, Buffer.from(html), { 'content-type': 'text/html' }))
  route('/own-media', () => new Media(html, { contentType: 'text/html' }))
  return { ran }
}

t.test('a browser runs nothing of an upload in the origin of the app, however it is sent back, small and large', { skip: needs('a browser') || takesLong('it opens hundreds of pages'), timeout: 600_000 }, async (t) => {
  let ran: readonly string[] = []
  const { url } = await startApp(t, () => {
    ran = declareUploads().ran
  })
  const tab = await openPage(t)
  let sent: { readonly headers: Record<string, string>; readonly body: Buffer } | null = null
  await tab.route('**/back/*', (route) => (sent === null ? route.continue() : route.continue({ method: 'POST', headers: sent.headers, postData: sent.body })))
  const open = async (path: string): Promise<void> => {
    // What is saved is not opened.
    await tab.goto(url + path).catch((error: unknown) => t.match(String(error), /Download is starting|ERR_ABORTED|ERR_INVALID_RESPONSE|ERR_BLOCKED/))
  }
  const check = async (upload: Upload, isOpened: (way: string) => boolean = () => true): Promise<void> => {
    sent = bodyOf(upload)
    const kept = await fetch(`${url}/keep`, { method: 'POST', ...sent, body: sent.body as Uint8Array<ArrayBuffer> })
    const id = await kept.text()
    for (const [index, way] of Object.keys(ways).entries()) {
      for (const path of isOpened(way) ? [`/kept/${index}/${id}`, `/back/${index}`] : []) {
        const before = ran.length
        await open(path)
        t.equal(ran.length, before, `${way}: ${upload.type} ${upload.disposition ?? 'as a body'} (${upload.content.length} bytes) at ${path}`)
      }
    }
  }
  const some: ReadonlySet<string> = new Set(['as it is', 'wrapped anew', 'a view of its bytes, with its type', 'a web response without a type'])
  for (const disposition of names) await check({ type: 'text/html', content: html, disposition }, (way) => some.has(way))
  for (const [index, [type, content]] of types.entries()) {
    await check({ type, content, disposition: null }, (way) => index < 3 || some.has(way))
    // On disk it is sent back by other means.
    await check({ type, content: content + ' '.repeat(1.5 * mebibyte), disposition: 'filename="/"' }, (way) => way === 'as it is')
  }
  for (const path of ['/own', '/own-bytes', '/own-media']) {
    const before = ran.length
    await open(path)
    await tab.waitForFunction('document.title === "ran"')
    t.equal(ran.length, before + 1, `the app’s own page runs: ${path}`)
  }
  t.equal(ran.length, 3, 'nothing has run late')
})
