import { parse } from 'fast-querystring'
import type { Media } from '../../db/media.js'
import { HttpError } from '../errors/http-error.js'

/** Fields by name: a text, or a list of them where the name was repeated. */
export type FieldValues = Readonly<Record<string, string | readonly string[]>>

/** Files by name: a file, or a list of them where there are several of one name. */
export type FileValues = Readonly<Record<string, Media | readonly Media[]>>

/** The fields and files of a form by name; a list where the name was repeated. */
export type FormFields = Readonly<Record<string, string | Media | readonly (string | Media)[]>>

/** More fields than any form has; each costs far more to take apart than to send. */
const mostFields = 1000

/**
 * Decodes a form (application/x-www-form-urlencoded, WHATWG URL Standard, 5.1).
 *
 * @throws HttpError 400 when it has more than 1000 fields
 */
export function parseForm(bytes: Buffer): FieldValues {
  const text = bytes.toString('utf8')
  let fields = 1
  for (let position = text.indexOf('&'); position !== -1; position = text.indexOf('&', position + 1)) {
    if (++fields > mostFields) throw new HttpError(400, `the form has more than ${mostFields} fields`)
  }
  return parse(text) as FieldValues
}
