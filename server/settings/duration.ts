import type { Check } from './checks.js'

const second = 1000
const units = { second, minute: 60 * second, hour: 3600 * second, day: 86_400 * second } as const
/** In days. */
const longest = 366

type Unit = keyof typeof units

/** A time: in milliseconds, or as a text such as `'minute'`, `'10 seconds'` or `'1 day'`. */
export type Duration = number | Unit | `${number} ${Unit | `${Unit}s`}`

/** How long something may take, as a number or a text; read, it is a number of milliseconds. */
export const duration: Check<Duration> = {
  expected: `a number of milliseconds, or a text such as 'minute' or '10 seconds', up to ${longest} days`,
  read: (value) => millisecondsOf(value) ?? undefined,
  fromText: (text) => (/^\d+$/.test(text) ? Number(text) : text),
}

/** A time in milliseconds; null for what is none. */
export function millisecondsOf(time: unknown): number | null {
  const length = typeof time === 'string' ? readText(time) : time
  return typeof length === 'number' && Number.isSafeInteger(length) && length > 0 && length <= longest * units.day ? length : null
}

function readText(text: string): number | null {
  const { amount = '1', unit } = /^(?:(?<amount>\d{1,9}) )?(?<unit>second|minute|hour|day)s?$/.exec(text)?.groups ?? {}
  return unit === undefined ? null : Number(amount) * units[unit as Unit]
}
