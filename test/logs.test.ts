import { once } from 'node:events'
import { connect } from 'node:net'
import t from 'tap'
import { httpEndpoint } from 'rowhouse'
import { basic, startApp } from './support/app.js'

t.test('each request is one line of JSON, whatever the client has sent, and secrets are not in it', async (t) => {
  const { url, port, log, server } = await startApp(t, () => {
    httpEndpoint('/x/:id', () => 1)
    httpEndpoint('/mine', { authenticateUsers: true }, () => 1)
  })
  const { id } = await server.rowhouse.users.add('me@example.com', 'my password')
  await fetch(`${url}/_/api/x/1?token=secret-in-the-query`)
  await fetch(`${url}/_/api/mine`, { headers: { ...basic('me@example.com', 'my password'), cookie: 'c=secret-cookie' } })
  await fetch(`${url}/_/api/mine`, { headers: basic('me@example.com', 'wrong password') })
  const socket = connect(port, '127.0.0.1')
  socket.write('GET /_/api/x/"\\{},%0A%22level%22:60 HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n')
  socket.resume()
  await once(socket, 'close')
  const requests = log.filter(({ message }) => message === 'request')
  t.match(requests, [
    { level: 30, time: /^\d{4}-\d\d-\d\dT/, requestId: /^[0-9a-f-]{36}$/, method: 'GET', path: '/_/api/x/1', endpoint: '/_/api/x/:id', status: 200, duration: Number },
    { path: '/_/api/mine', endpoint: '/_/api/mine', status: 200, user: id },
    { path: '/_/api/mine', status: 401 },
    { path: '/_/api/x/"\\{},%0A%22level%22:60', status: 200 },
  ])
  t.equal(new Set(requests.map(({ requestId }) => requestId)).size, 4)
  const text = JSON.stringify(log)
  for (const secret of ['secret-in-the-query', 'my password', 'wrong password', 'secret-cookie', basic('me@example.com', 'my password').authorization.slice(6)]) {
    t.notOk(text.includes(secret), secret)
  }
})

t.test('the level of the log decides what is written', async (t) => {
  const { server, log } = await startApp(t, () => httpEndpoint('/boom', () => Promise.reject(new Error('boom'))), { logLevel: 'error' })
  await server.inject('/_/api/boom')
  t.same(log.map(({ level }) => level), [50])
})
