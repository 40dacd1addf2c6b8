import { join } from 'node:path'
import type { Logger } from 'pino'
import { BodyRoom, overloaded } from '../http/body/body-room.js'
import type { BodyRooms } from '../http/body/read-body.js'
import { TemporaryFiles } from '../http/body/temporary-files.js'
import type { HttpError } from '../http/http-error.js'
import { networkOf, networksAround } from '../services/accounts/network.js'
import { second } from '../settings/checks.js'
import type { Configuration } from './configuration/settings.js'

/** How often the log says that bodies are refused, in milliseconds: under attack that is always. */
const refusalInterval = 60 * second

/** Where bodies are that are too large for memory. */
export function bodiesFolder(data: string): string {
  return join(data, 'request-bodies')
}

/** Makes the rooms in which all bodies of an app are, in memory and on disk. */
export function openBodyRooms(
  { data, bodyMemoryLimit, bodyDiskLimit }: Configuration,
  log: Pick<Logger, 'warn' | 'error'>,
): BodyRooms {
  const told = new Map<string, number>()
  const warn = (name: string, size: number): void => {
    const now = performance.now()
    if (now - (told.get(name) ?? -Infinity) < refusalInterval) return
    told.set(name, now)
    const remedy = `raise ${name} where the machine has more and the clients are known`
    log.warn(`bodies of requests were refused, because all together have taken their share of ${size} bytes (${name}); ${remedy}`)
  }
  const refuse = (): HttpError => {
    warn('bodyMemoryLimit', bodyMemoryLimit)
    return overloaded()
  }
  return {
    memory: new BodyRoom({ size: () => bodyMemoryLimit, networkOf: sharedNetworkOf, refuse }),
    files: new TemporaryFiles({
      folder: bodiesFolder(data),
      limit: bodyDiskLimit,
      networkOf: sharedNetworkOf,
      onDiskFull: () => log.error('the disk is full: a request body was refused; make room'),
      onRefusal: () => warn('bodyDiskLimit', bodyDiskLimit),
    }),
  }
}

/** Who has a /48 of IPv6 can send from any of its networks, so all of them have one share. */
function sharedNetworkOf(address: string): string {
  const network = networkOf(address)
  return networksAround(network).at(-1) ?? network
}
