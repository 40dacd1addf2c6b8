import { HTTPEndpoint, JSONResponse } from 'rowhouse'
import { tables } from '../../tables.js'

/** The same in a class: each request is answered by an instance of its own. */
export class Members extends HTTPEndpoint {
  async get(): Promise<JSONResponse> {
    return new JSONResponse({ users: await tables.people.search().all() })
  }

  async post(): Promise<JSONResponse> {
    return new JSONResponse({ created: true }, { status: 201 })
  }
}
