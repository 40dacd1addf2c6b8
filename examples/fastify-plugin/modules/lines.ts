import { httpEndpoint, redirect, route } from 'rowhouse'
import { tables } from '../tables.js'

httpEndpoint('/rooms/:room', { methods: ['GET'] }, ({ room }) => tables.lines.search({ room }).map(({ text }) => text))

route('/', () => redirect('/chat/'))
