/** The methods that endpoints usually answer, in the order in which `Allow` lists them. Any other that HTTP knows is possible. */
export const usualMethods = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'HEAD', 'OPTIONS'] as const

/** A method that an endpoint may answer: the usual ones and the others that the parser of Node.js reads, but for CONNECT, which asks for a tunnel. */
export type Method =
  | (typeof usualMethods)[number]
  | 'ACL'
  | 'BIND'
  | 'CHECKOUT'
  | 'COPY'
  | 'LINK'
  | 'LOCK'
  | 'M-SEARCH'
  | 'MERGE'
  | 'MKACTIVITY'
  | 'MKCALENDAR'
  | 'MKCOL'
  | 'MOVE'
  | 'NOTIFY'
  | 'PROPFIND'
  | 'PROPPATCH'
  | 'PURGE'
  | 'QUERY'
  | 'REBIND'
  | 'REPORT'
  | 'SEARCH'
  | 'SOURCE'
  | 'SUBSCRIBE'
  | 'TRACE'
  | 'UNBIND'
  | 'UNLINK'
  | 'UNLOCK'
  | 'UNSUBSCRIBE'
