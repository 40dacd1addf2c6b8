/** What the compiler prints at the beginning of a line: `import a, { b as c } from "./d.js";`, `export { e } from …`. */
const fromOther = /^(?:import|export) (?:([\w$]+)(?:, )?)?(?:\{([^}]*)\} )?from "([^"]+)"/gm
const everything = /^export \* from "([^"]+)"/gm

/** One name that compiled code takes from another file. */
export interface ImportedName {
  readonly name: string
  readonly specifier: string
}

/** The names that compiled code imports, or exports from another file; not those of `import *`. */
export function namesImported(text: string): ImportedName[] {
  return [...text.matchAll(fromOther)].flatMap(([, alone, list = '', specifier = '']) => [
    ...(alone === undefined ? [] : [{ name: 'default', specifier }]),
    ...split(list).map((name) => ({ name, specifier })),
  ])
}

/** The files from which compiled code exports everything. */
export function filesPassedOn(text: string): string[] {
  return [...text.matchAll(everything)].map(([, from = '']) => from)
}

/** Names that CommonJS source seems to export, as far as its text tells. */
export function namesOfCommonJS(text: string): string[] {
  const assigned = [...text.matchAll(/\bexports\.([\w$]+)\s*=/g)].map(([, name = '']) => name)
  const defined = [...text.matchAll(/defineProperty\(\s*(?:module\.)?exports\s*,\s*['"]([\w$]+)['"]/g)]
  const object = [...text.matchAll(/\bmodule\.exports\s*=\s*\{([^}]*)/g)].flatMap(([, members = '']) =>
    [...members.matchAll(/(?:^|,)\s*(?:async\s+)?([\w$]+)\s*(?=[,:(]|$)/g)].map(([, name = '']) => name),
  )
  const names = [...assigned, ...defined.map(([, name = '']) => name), ...object]
  return [...new Set(names)].filter((name) => name !== 'default' && !/^\d/.test(name))
}

/** The names of `a, b as c`, as they are called where they come from. */
function split(list: string): string[] {
  return list
    .split(',')
    .map((part) => part.trim().replace(/ as .*$/, ''))
    .filter((name) => name !== '')
}
