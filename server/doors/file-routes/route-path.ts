import { makePattern, type PathPattern, type PathSegment } from '../../endpoint/path-pattern.js'
import { DeclarationError, withPlace } from '../../errors/declaration-error.js'
import type { RouteFile } from './route-file.js'

/** A folder that sorts files and is not part of the path: `(admin)`. */
const group = /^\([^()[\]]+\)$/
/** `[name]`, `[...name]`, `[[...name]]`. */
const bracketed = /^(?:\[([^[\].][^[\]]*)\]|\[\.\.\.([^[\].][^[\]]*)\]|\[\[\.\.\.([^[\].][^[\]]*)\]\])$/
const parameterName = /^[A-Za-z_][A-Za-z0-9_]*$/

/**
 * Reads the path at which a file of `pages/` is served from its own: `pages/api/(admin)/users/[id].ts` at `/api/users/[id]`.
 *
 * @throws DeclarationError when a name with brackets is no parameter, two parameters have one name, or one for all the rest is not the last
 */
export function readRoutePath({ file, name }: Pick<RouteFile, 'file' | 'name'>): PathPattern {
  return withPlace({ file, line: 1 }, () => {
    const folders = name.split('/')
    const last = folders.pop() ?? ''
    if (group.test(last)) throw new DeclarationError(`"${last}" is a name for a folder that is no part of the path; give the file a name without parentheses around it`)
    const parts = [...folders.filter((folder) => !group.test(folder)), ...(last === 'index' ? [] : [last])]
    return makePattern(`/${parts.join('/')}`, parts.map(readSegment))
  })
}

function readSegment(part: string): PathSegment {
  if (!/[[\]]/.test(part)) return { kind: 'static', text: part }
  const [, one, some, any] = bracketed.exec(part) ?? []
  const name = toName(part, one ?? some ?? any ?? '')
  return one === undefined ? { kind: 'catchAll', name, optional: any !== undefined } : { kind: 'parameter', name }
}

/** Parameter names are JavaScript names, so that they can be taken apart and dotted: `[user-id]` is `user_id`, `[2fa]` is `_2fa`. */
function toName(part: string, written: string): string {
  const name = written.replaceAll(/[-.]/g, '_').replace(/^\d/, '_$&')
  if (!parameterName.test(name)) {
    throw new DeclarationError(
      `"${part}" is no parameter: write [name] for one segment, [...name] for one or more, [[...name]] for none or more, with nothing beside the brackets; a name has letters, digits, "_", "-" and "."`,
    )
  }
  return name
}
