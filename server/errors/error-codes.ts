/** What a code stands for. */
interface ErrorCodeEntry {
  /** The status of the answer. Of a code that only stands in `problems`, the status of the answer around it. */
  readonly status: number
  /** What went wrong; told to the caller where nothing more particular is known. */
  readonly sentence: string
  /** What to do about it. */
  readonly nextStep: string
}

const internal = 'An exception was raised. Check the application logs for details.'

/**
 * The codes of all errors that Rowhouse tells a caller, in the order in which a request can meet them. Clients rely on
 * them: a code keeps its name and its meaning. `docs/errors.md` has the same table; a test compares the two.
 */
export const errorCodes = {
  'malformed-request': {
    status: 400,
    sentence: 'The request is not valid HTTP, or can be read in two ways.',
    nextStep: 'send it with an HTTP client that is up to date',
  },
  'headers-too-large': {
    status: 431,
    sentence: 'The headers of the request are too long, or too many.',
    nextStep: 'send fewer, usually by clearing cookies',
  },
  'request-timeout': {
    status: 408,
    sentence: 'The request did not arrive in time.',
    nextStep: 'send it again, over a better connection',
  },
  'malformed-header': {
    status: 400,
    sentence: 'A header of the request cannot be read.',
    nextStep: 'the message names it; send it as the message says, or leave it out',
  },
  'expectation-failed': {
    status: 417,
    sentence: 'The request expects something else than 100-continue.',
    nextStep: 'leave the header Expect out',
  },
  'malformed-path': {
    status: 400,
    sentence: 'The path cannot be read.',
    nextStep: 'percent-encode each of its parts as UTF-8',
  },
  'path-too-long': {
    status: 414,
    sentence: 'A part of the path is longer than 4096 characters.',
    nextStep: 'send long values in the query or in the body',
  },
  'no-endpoint': {
    status: 404,
    sentence: 'There is no endpoint at this path.',
    nextStep: 'check the path: letter case and a slash at its end count',
  },
  'method-not-supported': {
    status: 405,
    sentence: 'The path has no endpoint for this method.',
    nextStep: 'use one of the methods in the header Allow',
  },
  'rate-limited': {
    status: 429,
    sentence: 'Rate limit exceeded: too many requests; wait before the next one.',
    nextStep: 'wait for as many seconds as Retry-After says',
  },
  unauthorized: {
    status: 401,
    sentence: 'The credentials are missing, malformed or wrong.',
    nextStep: 'sign in; WWW-Authenticate says how',
  },
  'too-many-failures': {
    status: 429,
    sentence: 'Too many failed attempts; wait before the next one.',
    nextStep: 'wait for as many seconds as Retry-After says',
  },
  'hashing-overloaded': {
    status: 503,
    sentence: 'Too many people are signing in at this moment; try again.',
    nextStep: 'wait for as many seconds as Retry-After says',
  },
  'missing-csrf-token': {
    status: 403,
    sentence: 'The request does not show that a page of this app has caused it: it has no token of one, in the header x-csrf-token or the form field _csrf.',
    nextStep: 'send the token that the page has, in the header x-csrf-token or a form field _csrf',
  },
  'outdated-csrf-token': {
    status: 403,
    sentence:
      'The page that sent this, by its token in the header x-csrf-token or the form field _csrf, is of an earlier session: somebody has signed in or out since, or it was open for too long. Load it again.',
    nextStep: 'load the page again, and send what its new token goes with',
  },
  'body-too-large': {
    status: 413,
    sentence: 'The body, or a part of it, is longer than the endpoint takes.',
    nextStep: 'send less at once, or raise the bodyLimit or decodeLimit of the endpoint',
  },
  'bodies-overloaded': {
    status: 503,
    sentence: 'Too much is being sent to the server at this moment; try again.',
    nextStep: 'wait for as many seconds as Retry-After says',
  },
  'unsupported-encoding': {
    status: 415,
    sentence: 'The body is compressed, which the endpoint does not take, or in a way that is not known.',
    nextStep: 'send it uncompressed, or in one of the encodings in Accept-Encoding',
  },
  'unsupported-media-type': {
    status: 415,
    sentence: 'The body is of a type that the endpoint does not read.',
    nextStep: 'send it in one of the types that the message names, with its content-type',
  },
  'malformed-body': {
    status: 400,
    sentence: 'The body is not what its headers say, or does not end.',
    nextStep: 'send it whole, and compressed only where content-encoding says so',
  },
  'malformed-multipart': {
    status: 400,
    sentence: 'The multipart form is malformed.',
    nextStep: 'let the client make it, its content-type included',
  },
  'too-many-fields': {
    status: 400,
    sentence: 'The form has more than 1000 fields or parts.',
    nextStep: 'send lists as JSON',
  },
  'malformed-json': {
    status: 400,
    sentence: 'The body, or a value, is not valid JSON.',
    nextStep: 'the message has the position of the mistake',
  },
  'json-too-deep': {
    status: 400,
    sentence: 'The JSON is nested more than 100 levels deep.',
    nextStep: 'send it flatter',
  },
  'number-too-large': {
    status: 400,
    sentence: 'The JSON has a number that is too large to be read as it is.',
    nextStep: 'send it as a text',
  },
  'number-too-small': {
    status: 400,
    sentence: 'The JSON has a number so near to zero that it would become zero.',
    nextStep: 'send it as a text',
  },
  'forbidden-name': {
    status: 400,
    sentence: 'The JSON has a member called __proto__.',
    nextStep: 'give the member another name',
  },
  'not-an-object': {
    status: 400,
    sentence: 'The body is not a JSON object.',
    nextStep: 'send an object, with content-type: application/json',
  },
  'invalid-input': {
    status: 400,
    sentence: 'Parameters, columns or members of the body are missing, wrong or unknown.',
    nextStep: '`problems` has each of them',
  },
  'missing-parameter': {
    status: 400,
    sentence: 'A parameter is missing.',
    nextStep: 'send it in the path, the query, a form or a JSON object',
  },
  'repeated-parameter': {
    status: 400,
    sentence: 'A parameter or a field came several times where it is taken once.',
    nextStep: 'send it once',
  },
  'unknown-parameter': {
    status: 400,
    sentence: 'A parameter is not known.',
    nextStep: 'the message has the known ones, or the nearest',
  },
  'missing-body': {
    status: 400,
    sentence: 'The endpoint takes a JSON body, and none came.',
    nextStep: 'send one, with content-type: application/json',
  },
  'invalid-value': {
    status: 400,
    sentence: 'A value is of the right type, and is not accepted all the same.',
    nextStep: 'the message says what is wrong with it',
  },
  'wrong-type': {
    status: 400,
    sentence: 'A value is not of the type of its parameter or column.',
    nextStep: 'send one that is; the message says what was expected',
  },
  'missing-value': {
    status: 400,
    sentence: 'A required column got no value.',
    nextStep: 'send one, or give the column a default',
  },
  'unknown-column': {
    status: 400,
    sentence: 'A value, a filter or an order names a column that there is not.',
    nextStep: 'the message has the known ones, or the nearest',
  },
  'unsearchable-column': {
    status: 400,
    sentence: 'A filter or an order names a column that rows cannot be searched or ordered by.',
    nextStep: 'leave it out',
  },
  'read-only': {
    status: 400,
    sentence: 'A column cannot be written.',
    nextStep: 'leave it out',
  },
  'no-such-row': {
    status: 400,
    sentence: 'A link leads to a row that is not there, or that the caller may not link to.',
    nextStep: 'link to another',
  },
  'bad-cursor': {
    status: 400,
    sentence: 'The cursor of a page is damaged, or belongs to another list.',
    nextStep: 'start from the first page',
  },
  'malformed-condition': {
    status: 400,
    sentence: 'If-Match or If-None-Match cannot be read.',
    nextStep: 'send "*", or ETags as they came, quotes included',
  },
  'precondition-failed': {
    status: 412,
    sentence: 'The row is not in the state that If-Match or If-None-Match asks for.',
    nextStep: 'read it again, and repeat the change on what is there now',
  },
  'row-deleted': {
    status: 404,
    sentence: 'The row to change is no longer there.',
    nextStep: 'do without it, or add it again',
  },
  'row-changed': {
    status: 409,
    sentence: 'The file to send was changed while it was asked for.',
    nextStep: 'ask again',
  },
  'not-unique': {
    status: 409,
    sentence: 'Another row has this value already, in a column where each has its own.',
    nextStep: 'send another value',
  },
  'broken-link': {
    status: 409,
    sentence: 'A link would point to a row that is not there, or the row to delete is linked to.',
    nextStep: 'change the link, or first what links to the row',
  },
  'not-an-email': {
    status: 400,
    sentence: 'What stands for an e-mail address is none.',
    nextStep: 'send one such as name@example.com',
  },
  'email-taken': {
    status: 409,
    sentence: 'There is already a user with this e-mail address.',
    nextStep: 'sign in, or use another address',
  },
  'no-such-user': {
    status: 404,
    sentence: 'There is no user with this e-mail address.',
    nextStep: 'check the address',
  },
  'weak-password': {
    status: 400,
    sentence: 'The new password breaks a rule.',
    nextStep: 'the message says which; choose another',
  },
  'handler-timeout': {
    status: 503,
    sentence: 'The server took too long to answer.',
    nextStep: 'the log names the endpoint; make it faster, or raise its `timeout`',
  },
  internal: {
    status: 500,
    sentence: internal,
    nextStep: 'the log has the error under the id of the request',
  },
  'several-rows': {
    status: 500,
    sentence: '`get`, `one` or `upsert` found several rows where one was expected.',
    nextStep: 'make the column unique, or use `search`',
  },
  'bad-query': {
    status: 400,
    sentence: 'A search cannot be carried out.',
    nextStep: 'the message says why',
  },
  'cookie-too-big': {
    status: 500,
    sentence: 'Encrypted, what is in `cookies.local` or `cookies.shared` would be longer than 4000 characters.',
    nextStep: 'keep less there; what is large stands in a table',
  },
  'cookie-not-json': {
    status: 500,
    sentence: 'A value for `cookies` cannot be said in JSON, such as a `Media`.',
    nextStep: 'the message names it; keep it in a table',
  },
  'cookie-too-late': {
    status: 500,
    sentence: '`cookies` were changed when the answer had begun to be sent.',
    nextStep: 'change them before the handler returns, or before the first piece of a stream',
  },
  'session-too-large': {
    status: 500,
    sentence: 'What is in `session` would be longer than 64 KiB.',
    nextStep: 'keep less there; what is large stands in a table',
  },
  'session-not-json': {
    status: 500,
    sentence: 'A value for `session` cannot be said in JSON, such as a `Media`.',
    nextStep: 'the message names it; keep it in a table',
  },
  'session-too-late': {
    status: 500,
    sentence: 'The session was changed when the answer had begun to be sent.',
    nextStep: 'change it before the handler returns, or before the first piece of a stream',
  },
  'session-in-transaction': {
    status: 500,
    sentence: 'Somebody was to be signed in or out inside of a `transaction()`: the browser would be told what may be rolled back.',
    nextStep: 'do it before or behind the transaction',
  },
  'transaction-ended': {
    status: 500,
    sentence: 'A statement came after its transaction had ended or its request had been given up, or the transaction did nothing for ten seconds.',
    nextStep: 'await everything inside; do slow work outside',
  },
  'database-failed': {
    status: 503,
    sentence: 'The server cannot write at the moment.',
    nextStep: 'the log says why; the process stops, so that it can be started again',
  },
  busy: {
    status: 503,
    sentence: 'Another process kept the database locked.',
    nextStep: 'try again',
  },
  'disk-full': {
    status: 507,
    sentence: 'There is no room for what was sent; nothing was written.',
    nextStep: 'make room; no restart is needed',
  },
  // Of errors that an app throws without a code of its own.
  'bad-request': {
    status: 400,
    sentence: 'The app refuses the request.',
    nextStep: 'the message says why',
  },
  forbidden: {
    status: 403,
    sentence: 'The app does not let the caller do this.',
    nextStep: 'the message says why',
  },
  'not-found': {
    status: 404,
    sentence: 'There is no such thing, or none that the caller may know of.',
    nextStep: 'check the id',
  },
  conflict: {
    status: 409,
    sentence: 'The request contradicts what is there.',
    nextStep: 'the message says why',
  },
  gone: {
    status: 410,
    sentence: 'There is no such thing any more.',
    nextStep: 'do without it',
  },
  unprocessable: {
    status: 422,
    sentence: 'The app understands the request and refuses it.',
    nextStep: 'the message says why',
  },
  'too-many-requests': {
    status: 429,
    sentence: 'The app refuses that many requests.',
    nextStep: 'wait; Retry-After may say for how long',
  },
  unavailable: {
    status: 503,
    sentence: 'The app cannot answer at the moment.',
    nextStep: 'try again; Retry-After may say when',
  },
} as const satisfies Readonly<Record<string, ErrorCodeEntry>>

/** The code of an error that Rowhouse tells a caller. */
export type ErrorCode = keyof typeof errorCodes

/** Those that say no more than their status, and stand for errors of an app that has no code of its own. */
const generalCodes: readonly ErrorCode[] = [
  'bad-request',
  'unauthorized',
  'forbidden',
  'not-found',
  'method-not-supported',
  'request-timeout',
  'conflict',
  'gone',
  'precondition-failed',
  'body-too-large',
  'path-too-long',
  'unsupported-media-type',
  'expectation-failed',
  'unprocessable',
  'too-many-requests',
  'headers-too-large',
  'internal',
  'unavailable',
]

const byStatus: ReadonlyMap<number, ErrorCode> = new Map(generalCodes.map((code) => [errorCodes[code].status, code]))

/** The general code of a status: `not-found`, or `http-418` for one that has no other. */
export function codeOfStatus(status: number): string {
  return byStatus.get(status) ?? `http-${status}`
}
