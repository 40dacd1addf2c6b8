import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { isBuiltin } from 'node:module'
import { dirname, extname, isAbsolute, join, sep } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { Message, OnResolveResult, Plugin } from 'esbuild'
import { loaderOf } from './esbuild.js'
import { code } from './file-kinds.js'

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

/**
 * Keeps packages outside of the bundle, under the address at which the importing file finds them, so that they are found from wherever the bundle lies.
 * What is in a workspace or behind a path of `tsconfig.json` is the app's own source and becomes part of it.
 */
export function packages(directory: string): Plugin {
  return {
    name: 'packages',
    setup(build) {
      build.onResolve({ filter: /^[^./]|\/node_modules\/|\.(?:cjs|node)$/ }, async ({ path, kind, importer, resolveDir, pluginData }): Promise<OnResolveResult | undefined> => {
        if (pluginData === asked || isAbsolute(path) || kind === 'entry-point') return undefined
        if (isBuiltin(path) || /^(?:data|file):/.test(path)) return { path, external: true }
        if (path.startsWith('node:')) return { errors: [{ text: `Node.js ${process.versions.node} has no module "${path}"` }] }
        const found = await build.resolve(path, { kind, importer, resolveDir, pluginData: asked })
        const [mistake] = found.errors
        if (mistake !== undefined) return { errors: [{ text: describeMissing(path, resolveDir, mistake) }] }
        if (found.external || !staysOutside(found.path, directory)) return found
        return { path: kind.startsWith('require') ? found.path : pathToFileURL(found.path).href, external: true }
      })
    },
  }
}

/** Node.js runs JavaScript in packages, CommonJS files and native addons as they are. It needs an attribute to import JSON, and cannot read TypeScript. */
function staysOutside(path: string, directory: string): boolean {
  if (['.json', '.ts', '.tsx', '.mts', '.cts'].includes(extname(path))) return false
  if (['.cjs', '.node'].includes(extname(path))) return true
  return path.includes(`${sep}node_modules${sep}`) || !path.startsWith(directory + sep)
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


/**
 * Lets `import.meta.url`, `dirname` and `filename` be those of the source file and not of the bundle. The file gets its own from an import that is added behind its
 * last line: imports come first wherever they stand, and no line or column of the source moves.
 */
export function importMeta(): Plugin {
  const scheme = 'rowhouse-import-meta:'
  return {
    name: 'import-meta',
    setup(build) {
      build.initialOptions.define = {
        'import.meta.url': 'rowhouseImportMetaUrl',
        'import.meta.dirname': 'rowhouseImportMetaDirname',
        'import.meta.filename': 'rowhouseImportMetaFilename',
      }
      build.onLoad({ filter: code, namespace: 'file' }, async ({ path }) => {
        if (path.includes(`${sep}node_modules${sep}`)) return undefined
        const contents = await readFile(path, 'utf8')
        if (!contents.includes('import.meta')) return undefined
        const imported = 'url as rowhouseImportMetaUrl, dirname as rowhouseImportMetaDirname, filename as rowhouseImportMetaFilename'
        return { contents: `${contents}\nimport { ${imported} } from ${JSON.stringify(scheme + path)}`, loader: loaderOf(path) }
      })
      build.onResolve({ filter: new RegExp(`^${scheme}`) }, ({ path }) => ({ path: path.slice(scheme.length), namespace: 'import-meta', sideEffects: false }))
      build.onLoad({ filter: /.*/, namespace: 'import-meta' }, ({ path }) => {
        const values = { url: pathToFileURL(path).href, dirname: dirname(path), filename: path }
        return { contents: Object.entries(values).map(([name, value]) => `export const ${name} = ${JSON.stringify(value)}`).join('\n'), loader: 'js' }
      })
    },
  }
}
