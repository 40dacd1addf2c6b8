import { createApp, route } from 'rowhouse'
import { report } from './control.js'

const [directory, count] = process.argv.slice(2)
if (directory === undefined || count === undefined) throw new Error('usage: routes.js <folder> <number of routes>')

const kinds = ['<int:id>', '<id>', '<path:id>']

const define = (): void => {
  // The one that is asked for, and others like it, with and without converters.
  route('/shop/articles/<int:id>/comments', ({ id }) => ({ id }))
  for (let index = 1; index < Number(count); index++) route(`/shop/${['articles', `group${index % 50}`][index % 2]}/${index % 3 === 0 ? '<int:id>/' : ''}part${index}/${kinds[index % 3]?.replace('id', 'other')}`, () => index)
}

const server = await createApp({ directory, define, options: { data: `${directory}/routes-${count}`, port: 0 } })
const url = await server.listen({ port: 0, host: '127.0.0.1' })
report(Number(new URL(url).port))
