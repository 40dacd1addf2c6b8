import { JSONResponse, type FileRouteRequest } from 'rowhouse'

/** One body, read in three ways. */
export async function post(request: FileRouteRequest): Promise<JSONResponse> {
  const body = await request.json()
  const form = await request.form()
  const raw = await request.body()
  return new JSONResponse({ received: true, body, fields: Object.keys(form).length, length: raw.length })
}
