import { extname } from 'node:path'
import type * as Esbuild from 'esbuild'

/** An idle esbuild holds some 15 MB, and an app is rarely compiled: its process ends this long after it was last used, in milliseconds. */
const idleTime = 1000

const loaders: Readonly<Record<string, Esbuild.Loader>> = {
  '.ts': 'ts',
  '.mts': 'ts',
  '.cts': 'ts',
  '.tsx': 'tsx',
  '.jsx': 'jsx',
}

/** How esbuild reads a file of TypeScript or JavaScript. */
export function loaderOf(file: string): Esbuild.Loader {
  return loaders[extname(file)] ?? 'js'
}

let active = 0
let idle: NodeJS.Timeout | undefined

/** Starts esbuild's process ahead of its first use, while other things load. */
export async function prepareEsbuild(): Promise<void> {
  const { initialize } = await import('esbuild')
  if (active === 0) await initialize({})
}

/** Lends esbuild to `work`, whose process runs on until nobody uses it any more. */
export async function withEsbuild<Result>(work: (esbuild: typeof Esbuild) => Promise<Result>): Promise<Result> {
  active++
  try {
    return await work(await import('esbuild'))
  } finally {
    active--
    clearTimeout(idle)
    idle = setTimeout(() => void endWhenIdle(), idleTime).unref()
  }
}

async function endWhenIdle(): Promise<void> {
  const { stop } = await import('esbuild')
  if (active === 0) await stop()
}
