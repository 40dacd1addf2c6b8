import { prettyFactory } from 'pino-pretty'
import { escapeControls, escapeLines } from './escape-controls.js'

/** Makes the function that turns lines of JSON into readable ones for a terminal. Whatever a client has put into them, each stands for one event, and none commands the terminal. */
export function terminalLines(): (json: string) => string {
  const format = prettyFactory({ messageKey: 'message' })
  return (json) => format(escapeMember('', JSON.parse(json)))
}

function escapeMember(name: string, value: unknown): unknown {
  if (typeof value === 'string') return name === 'stack' ? escapeLines(value) : escapeControls(value)
  if (typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) return value.map((member) => escapeMember('', member))
  return Object.fromEntries(Object.entries(value).map(([key, member]) => [escapeControls(key), escapeMember(key, member)]))
}
