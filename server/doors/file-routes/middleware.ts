import { dirname } from 'node:path/posix'
import { describeGiven, isClass } from '../../../db/errors/describe-value.js'
import { DeclarationError } from '../../errors/declaration-error.js'
import { passThrough, type Middleware } from '../middleware/pass-through.js'
import { locate, type RouteFile } from './route-file.js'
import type { RouteHandler } from './route-methods.js'

interface FolderMiddleware {
  readonly file: string
  readonly run: Middleware
}

/** The middleware of an app's folders. */
export class Middlewares {
  readonly #byFolder = new Map<string, FolderMiddleware>()

  /** @throws DeclarationError when a file has no function as its default export, or a folder has two files */
  constructor(files: readonly RouteFile[]) {
    for (const route of files) {
      const folder = dirname(route.file)
      const present = this.#byFolder.get(folder)
      if (present !== undefined) throw new DeclarationError(`this folder has a second middleware, ${present.file}; keep one`, locate(route))
      this.#byFolder.set(folder, { file: route.file, run: readMiddleware(route) })
    }
  }

  /** What answers the requests of a file once all that stands around it has been passed, the outermost folder first; the handler itself where there is nothing. */
  wrap(file: string, handler: RouteHandler): RouteHandler {
    let wrapped = handler
    for (let folder = dirname(file); folder !== '.'; folder = dirname(folder)) {
      const middleware = this.#byFolder.get(folder)
      if (middleware !== undefined) wrapped = standAround(middleware, wrapped)
    }
    return wrapped
  }
}

function readMiddleware(route: RouteFile): Middleware {
  const { default: run } = route.exports
  if (typeof run !== 'function' || isClass(run)) {
    const got = run === undefined ? 'it exports no default' : `got ${describeGiven(run)}`
    throw new DeclarationError(`a middleware exports a function as default, such as: export default async (request, next) => await next(); ${got}`, locate(route, 'default'))
  }
  // It is a function and no class; what it takes is known to its author's compiler.
  return run as Middleware
}

function standAround({ file, run }: FolderMiddleware, inner: RouteHandler): RouteHandler {
  return (request, args) => passThrough(file, (next) => run(request, next), () => inner(request, args))
}
