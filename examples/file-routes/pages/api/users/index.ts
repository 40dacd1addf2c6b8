import { JSONResponse, pick, type FileRouteRequest } from 'rowhouse'
import { tables } from '../../../tables.js'

export async function get(): Promise<JSONResponse> {
  return new JSONResponse({ users: await tables.people.search().all() })
}

export async function post(request: FileRouteRequest): Promise<JSONResponse> {
  const { name, email } = pick<{ name: string; email: string }>(await request.json(), ['name', 'email'])
  if (name === undefined || email === undefined) return new JSONResponse({ error: 'name and email are needed' }, { status: 400 })
  const user = await tables.people.addRow({ name, email })
  return new JSONResponse({ user }, { status: 201 })
}

async function remove(request: FileRouteRequest): Promise<JSONResponse> {
  const { id } = pick<{ id: unknown }>(await request.json(), ['id'])
  const user = await tables.people.getById(String(id))
  await user?.delete()
  return new JSONResponse({ deleted: true })
}
export { remove as delete }
