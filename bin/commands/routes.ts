import { Command } from 'commander'
import type { Door, Endpoint } from '../../server/endpoint/endpoint.js'
import { plainBodyLimit } from '../../server/doors/fastify/collected-routes.js'
import type { Configuration } from '../../server/app/configuration/settings.js'

/** `rowhouse routes`: lists what an app answers, without starting it. */
export function routesCommand(): Command {
  return new Command('routes')
    .description('list the endpoints of an app')
    .argument('[dir]', "the app's folder", '.')
    .option('--json', 'as JSON')
    .action(async (directory: string, { json }: { readonly json?: true }) => {
      const { inspectApp } = await import('../../server/app/inspect-app.js')
      const { configuration, endpoints } = await inspectApp(directory)
      const sorted = endpoints.toSorted((a, b) => compare(a.path.text, b.path.text))
      process.stdout.write(json ? `${JSON.stringify(sorted.map(toJson), null, 2)}\n` : toTable(sorted.map((endpoint) => toCells(endpoint, configuration))))
    })
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}

function toJson({ methods, path, door, options, source }: Endpoint): object {
  return {
    methods,
    path: path.text,
    door,
    options: {
      authenticateUsers: options.access === 'optional' ? 'optional' : options.access === 'user',
      requireCredentials: options.access === 'credentials',
      params: options.params.map(([name]) => name),
      body: options.body !== null,
      bodyLimit: options.bodyLimit,
      decodeLimit: options.decodeLimit,
      decompress: options.decompress,
      timeout: options.timeout,
      name: options.name,
      summary: options.summary,
    },
    file: source.file,
    line: source.line,
  }
}

function toCells({ methods, path, door, options, source }: Endpoint, { bodyLimit, decodeLimit, handlerTimeout }: Configuration): string[] {
  const told = [
    { user: 'authenticateUsers', optional: "authenticateUsers: 'optional'", credentials: 'requireCredentials', nobody: '' }[options.access],
    options.params.length === 0 ? '' : `params: ${options.params.map(([name]) => name).join(' ')}`,
    options.body === null ? '' : 'body',
    options.bodyLimit === usualBodyLimit(door, bodyLimit) ? '' : `bodyLimit: ${options.bodyLimit}`,
    door === 'fastify' || options.decodeLimit === decodeLimit ? '' : `decodeLimit: ${options.decodeLimit}`,
    options.decompress ? 'decompress' : '',
    options.name === null ? '' : `name: ${options.name}`,
    options.timeout === handlerTimeout ? '' : `timeout: ${options.timeout}`,
  ]
  return [methods.join(' '), path.text, door, told.filter((text) => text !== '').join(', ') || '-', door === 'platform' ? '-' : `${source.file}:${source.line}`]
}

/** The limit that goes without saying. */
function usualBodyLimit(door: Door, bodyLimit: number): number {
  if (door === 'platform') return 0
  return door === 'fastify' ? plainBodyLimit : bodyLimit
}

function toTable(rows: readonly (readonly string[])[]): string {
  const table = [['METHODS', 'PATH', 'DOOR', 'OPTIONS', 'SOURCE'], ...rows]
  const widths = table[0]?.map((_, column) => Math.max(...table.map((row) => row[column]?.length ?? 0))) ?? []
  return table.map((row) => `${row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  ').trimEnd()}\n`).join('')
}
