import { HttpResponse, httpEndpoint, pick, request, text, users, type Row } from 'rowhouse'
import { tables } from '../tables.js'

const publicView = (task: Row<typeof tables.tasks>) => ({ title: task.title, done: task.done, id: task.getId() })

httpEndpoint('/hello-world', () => ({ 'the answer is': 42 }))

httpEndpoint('/tasks', { authenticateUsers: true }, () =>
  tables.tasks.search({ owner: users.getUser() }).map(publicView))

httpEndpoint('/new_task', { methods: ['POST'], authenticateUsers: true, params: { title: text() } }, async ({ title }) => {
  const task = await tables.tasks.addRow({ title, owner: users.getUser() })
  return { id: task.getId() }
})

httpEndpoint('/tasks/:id', { methods: ['GET', 'PUT', 'DELETE'], authenticateUsers: true }, async ({ id }) => {
  const task = await tables.tasks.getById(id)
  if (!task || !task.owner?.equals(users.getUser())) return new HttpResponse(404)
  if (request.method === 'DELETE') { await task.delete(); return null }
  if (request.method === 'PUT') await task.update(pick(request.bodyJson, ['title', 'done']))
  return publicView(task)
})
