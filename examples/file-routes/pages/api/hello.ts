import { JSONResponse } from 'rowhouse'

export async function get(): Promise<JSONResponse> {
  return new JSONResponse({ message: 'Hello, world!' })
}
