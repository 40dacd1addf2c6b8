import { JSONResponse, type FileRouteRequest } from 'rowhouse'
import { tables } from '../../../tables.js'

export async function get(request: FileRouteRequest): Promise<JSONResponse> {
  const user = await tables.people.getById(request.pathParams['id'] ?? '')
  if (user === null) return new JSONResponse({ error: 'Not found' }, { status: 404 })
  return new JSONResponse({ user })
}
