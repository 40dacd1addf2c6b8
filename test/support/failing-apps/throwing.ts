import { abort, DatabaseFailure, HttpError } from 'rowhouse'
import { HashingOverloaded, TooManyFailures } from '../../../dist/server/services/accounts/errors.js'

/** Endpoints that throw, by path. */
export function declareThrown(): Readonly<Record<string, () => unknown>> {
  const reserved = { status: 1, code: 'mine', error: 'mine', message: 'mine', requestId: 'mine', other: 'kept' }
  return {
    conflict: () => {
      throw new HttpError(409, 'this seat has been taken')
    },
    plain: () => {
      throw new HttpError(403)
    },
    teapot: () => {
      throw new HttpError(
        418,
        'short and stout',
        { pot: 'tea' },
        { 'x-pot': 'tea', 'x-list': ['a', 'b'], vary: 'Origin' },
      )
    },
    varied: () => {
      throw new HttpError(410, 'gone', {}, { vary: 'accept, origin' })
    },
    reserved: () => {
      throw new HttpError(400, 'details with names that are taken', reserved as never)
    },
    unprocessable: () => {
      throw new HttpError(422, 'no', { problems: ['of my own'] })
    },
    own: () => {
      throw new HttpError(500, 'this is meant to be told')
    },
    later: () => {
      throw new HttpError(503, 'come back later', {}, { 'retry-after': '7' })
    },
    unusual: () => {
      throw new HttpError(599, 'nobody knows this status')
    },
    escaped: () => {
      throw new HttpError(400, '<script>alert("x")</script> & größe')
    },
    aborted: () => abort(404),
    told: () => abort(404, 'there is no such thing'),
    error: () => {
      throw new TypeError('a secret', { cause: new Error('another') })
    },
    value: () => {
      throw 'a secret'
    },
    nothing: () => {
      throw null
    },
    proxy: () => {
      throw new Proxy(
        {},
        {
          getPrototypeOf: () => {
            throw new Error('trap')
          },
          get: () => {
            throw new Error('trap')
          },
        },
      )
    },
    bigint: () => ({ items: [1n] }),
    untold: () => {
      throw new HttpError(400, 'x', { n: 1n })
    },
    header: () => {
      throw new HttpError(400, 'x', {}, { 'x-a': 'a\nb' })
    },
    wrongStatus: () => {
      throw new HttpError(200, 'x')
    },
    database: () => {
      throw new DatabaseFailure('the disk failed')
    },
    guessing: () => {
      throw new TooManyFailures(9)
    },
    crowd: () => {
      throw new HashingOverloaded(2)
    },
  }
}
