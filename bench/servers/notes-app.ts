import type * as Rowhouse from 'rowhouse'
import { rows } from './answers.js'

/** A row of about 600 B as JSON, the size of an ordinary one. */
export const note = {
  title: 'Water the plants',
  page: 3,
  text: 'From the window to the door. '.repeat(18),
  done: false,
} as const

/**
 * The app of the ladder: declared by nothing but what `rowhouse` exports, so that any Rowhouse can serve it.
 *
 * @param rowhouse the exports of the one that serves it
 */
export function notesApp(rowhouse: typeof Rowhouse) {
  const { boolean, crudEndpoints, defineTables, httpEndpoint, integer, table, text, users } = rowhouse
  const written = { title: text(), page: integer(), text: text() }
  const defineNotes = () => defineTables({ notes: table({ ...written, done: boolean().default(false) }) })
  let declared: ReturnType<typeof defineNotes> | null = null

  return {
    /** What `createApp` is given. */
    define(): void {
      const { notes } = (declared = defineNotes())
      type Note = NonNullable<Awaited<ReturnType<typeof notes.getById>>>
      const view = (row: Note) => {
        const { title, page, text, done } = row
        return { id: row.getId(), title, page, text, done }
      }
      const read = async ({ id }: { readonly id: string }) => {
        const row = await notes.getById(id)
        return row === null ? null : view(row)
      }
      const params = { page: integer().default(1) }
      httpEndpoint('/constant/:id', { params }, ({ id, page }) => ({ id, ...note, page }))
      httpEndpoint('/notes/:id', read)
      httpEndpoint('/mine/:id', { authenticateUsers: true }, read)
      // Older versions have no sessions.
      if ('logIn' in users) httpEndpoint('/sign-in', { methods: ['POST'], authenticateUsers: true }, (_args, { user }) => users.logIn(user))
      httpEndpoint('/notes', { methods: ['GET'] }, () => notes.search({}, { limit: rows.listed }).map(view))
      httpEndpoint('/notes', { methods: ['POST'], params: written }, async ({ title, page, text }) => {
        const row = await notes.addRow({ title, page, text })
        return { id: row.getId() }
      })
      crudEndpoints('/crud/notes', notes, { public: true })
    },
    /** Adds the rows; to be called once the app has been made. */
    async seed(): Promise<void> {
      await declared?.notes.addRows(Array.from({ length: rows.stored }, () => note))
    },
  }
}
