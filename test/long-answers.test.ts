import t from 'tap'
import { httpEndpoint } from 'rowhouse'
import { buildApp } from './support/app.ts'
import { takesLong } from './support/needs.ts'

t.test('many long answers that are asked for at once are made one by one, and let others through in between', { skip: takesLong('it makes more than twenty answers of 2 MiB') }, async (t) => {
  const { server } = await buildApp(t, () => {
    httpEndpoint('/long', () => 'x'.repeat(2 * 1024 * 1024))
    httpEndpoint('/short', () => 'short')
  })
  const ended: string[] = []
  const ask = async (name: string): Promise<void> => {
    const { statusCode } = await server.inject(`/_/api/${name}`)
    t.equal(statusCode, 200)
    ended.push(name)
  }
  await ask('long')
  ended.length = 0
  await Promise.all([...Array.from({ length: 20 }, () => ask('long')), ask('short')])
  t.equal(ended.length, 21)
  t.ok(ended.indexOf('short') < 10, `it was number ${ended.indexOf('short')}`)
})
