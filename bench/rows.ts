import type { Load } from './load.js'
import { basic, rows as amounts } from './servers/answers.js'
import { note } from './servers/notes-app.js'

/** Something that the ladder asks for, again and again. */
export interface Row {
  readonly name: string
  /** Whether every rung of the ladder is asked for it, or Rowhouse alone. */
  readonly climbs: boolean
  /** What is asked of a server that has a note with this id, by a browser that has signed in there if it shows this cookie. */
  load(id: string, cookie: string): Load
}

type Request = Omit<Load, 'connections'>

const connections = 64
const form = new URLSearchParams({ title: note.title, page: String(note.page), text: note.text }).toString()

function climbing(name: string, request: (id: string, cookie: string) => Request): Row {
  return { name, climbs: true, load: (id, cookie) => ({ ...request(id, cookie), connections }) }
}

function whole(name: string, request: (id: string, cookie: string) => Request): Row {
  return { ...climbing(name, request), climbs: false }
}

/**
 * The rows of the ladder in the order in which they are measured: those that write come last, so that no other pays for
 * the work that they leave behind.
 */
export const rows: readonly Row[] = [
  climbing('JSON', () => ({ path: '/_/api/constant/42?page=3' })),
  climbing('get', (id) => ({ path: `/_/api/notes/${id}` })),
  whole('Basic', (id) => ({ path: `/_/api/mine/${id}`, headers: basic })),
  whole('session', (id, cookie) => ({ path: `/_/api/mine/${id}`, headers: { cookie } })),
  whole('list', () => ({ path: '/_/api/notes' })),
  whole('crud get', (id) => ({ path: `/_/api/crud/notes/${id}` })),
  whole('crud list', () => ({ path: `/_/api/crud/notes?limit=${amounts.listed}` })),
  climbing('create', () => ({ path: '/_/api/notes', form })),
  whole('crud create', () => ({ path: '/_/api/crud/notes', form })),
]

/**
 * The rows of these names, in the order of all rows.
 *
 * @param names separated by commas
 * @throws Error when there is none of such a name
 */
export function rowsCalled(names: string): readonly Row[] {
  const wanted = new Set(names.split(',').map((name) => name.trim()))
  const found = rows.filter(({ name }) => wanted.delete(name))
  const [unknown] = wanted
  if (unknown === undefined) return found
  throw new Error(`there is no row "${unknown}"; choose from ${rows.map(({ name }) => name).join(', ')}`)
}
