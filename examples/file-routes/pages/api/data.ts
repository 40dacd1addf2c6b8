import { JSONResponse, type FileRouteRequest } from 'rowhouse'

const data = new Map([['k-123', { plan: 'free' }]])

export async function get(request: FileRouteRequest): Promise<JSONResponse> {
  const apiKey = request.headers.get('x-api-key')
  if (apiKey === null) return new JSONResponse({ error: 'Missing API key' }, { status: 401 })
  const found = data.get(apiKey)
  if (found === undefined) return new JSONResponse({ error: 'Not found' }, { status: 404 })
  return new JSONResponse({ data: found })
}
