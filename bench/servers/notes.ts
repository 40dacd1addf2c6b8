import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import type * as Rowhouse from 'rowhouse'
import { report } from './control.js'
import { notesApp } from './notes-app.js'

const [directory, checkout] = process.argv.slice(2)
if (directory === undefined || checkout === undefined) throw new Error('usage: notes.js <folder> <checkout, built>')

// Of this version or another: as far as this app uses it, its door is the same.
const rowhouse = (await import(pathToFileURL(join(checkout, 'dist/index.js')).href)) as typeof Rowhouse
const { define, seed } = notesApp(rowhouse)
const server = await rowhouse.createApp({ directory, define, options: { data: directory, port: 0 } })
await seed()
const url = await server.listen({ port: 0, host: '127.0.0.1' })
report(Number(new URL(url).port))
