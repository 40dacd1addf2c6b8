import { existsSync } from 'node:fs'
import { isBuiltin } from 'node:module'
import { dirname, isAbsolute, join } from 'node:path'
import type { ImportKind, Message, OnResolveResult, Plugin } from 'esbuild'
import { isOwnSource } from './own-source.js'

/** Marks the plugin's own question to esbuild's resolver, so that it does not answer itself. */
const asked = Symbol('asked by the plugin')

/** Makes every import of `rowhouse` the running instance. The names are spelled out so that a wrong one is found here, with its place and the nearest right one. */
export function rowhouseItself({ url, names }: { readonly url: string; readonly names: readonly string[] }): Plugin {
  return {
    name: 'rowhouse',
    setup(build) {
      build.onResolve({ filter: /^rowhouse$/ }, () => ({ path: 'rowhouse', namespace: 'rowhouse' }))
      build.onLoad({ filter: /.*/, namespace: 'rowhouse' }, () => ({ contents: `export { ${names.join(', ')} } from ${JSON.stringify(url)}`, loader: 'js' }))
      build.onResolve({ filter: /^file:/, namespace: 'rowhouse' }, ({ path }) => ({ path, external: true }))
    },
  }
}

/** Told where the import of a package leads: the importing file, what it imports and how, and the absolute path. */
export type OnPackage = (importer: string, specifier: string, kind: ImportKind, path: string) => void

/**
 * Leaves packages to Node.js. What is in a workspace or behind a path of `tsconfig.json` is the app's own source and is
 * compiled.
 */
export function packages(directory: string, onPackage: OnPackage): Plugin {
  return {
    name: 'packages',
    setup(build) {
      build.onResolve({ filter: /^[^./]|\/node_modules\/|\.node$/ }, async ({ path, kind, importer, resolveDir, pluginData }): Promise<OnResolveResult | undefined> => {
        if (pluginData === asked || isAbsolute(path) || kind === 'entry-point') return undefined
        if (isBuiltin(path) || /^(?:data|file):/.test(path)) return { path, external: true }
        if (path.startsWith('node:')) return { errors: [{ text: `Node.js ${process.versions.node} has no module "${path}"` }] }
        const found = await build.resolve(path, { kind, importer, resolveDir, pluginData: asked })
        const [mistake] = found.errors
        // What is asked for while the code runs may be missing: some do without it.
        if (mistake !== undefined && kind !== 'import-statement') return { path, external: true }
        if (mistake !== undefined) return { errors: [{ text: describeMissing(path, resolveDir, mistake) }] }
        if (found.external || found.path.endsWith('.json') || isOwnSource(found.path, directory)) return found
        onPackage(importer, path, kind, found.path)
        return { path: found.path, external: true }
      })
    },
  }
}

const packageName = /^(?:@[a-z0-9~-][\w.~-]*\/)?[a-z0-9~-][\w.~-]*/i

/** Tells a package that is not installed from one that has no such file. */
function describeMissing(specifier: string, resolveDir: string, { text, notes }: Message): string {
  const name = packageName.exec(specifier)?.[0]
  if (name === undefined) return text
  if (!isInstalled(name, resolveDir)) return `the package "${name}" is not installed; run npm install ${name} in the app's folder`
  const reason = notes[0]?.text ?? ''
  return reason === '' || reason.startsWith('You can mark the path') ? `the package "${name}" is installed, but has no "${specifier}"` : `${text}: ${reason}`
}

function isInstalled(name: string, folder: string): boolean {
  if (existsSync(join(folder, 'node_modules', name))) return true
  const parent = dirname(folder)
  return parent !== folder && isInstalled(name, parent)
}
