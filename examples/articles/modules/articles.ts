import { route, urlFor } from 'rowhouse'

route('/', () => 'Welcome')

route('/articles', function articles() {
  return `List of ${urlFor('articles')}`
})

route('/articles/<articleid>', ({ articleid }) => `You are reading ${articleid}`)
