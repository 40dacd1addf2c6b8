import { refusal, type HttpError } from '../http-error.js'
import { readParameters } from './header-parameters.js'

/** RFC 2046, 5.1.1. */
const longestBoundary = 70

/**
 * The boundary that a content type such as `multipart/form-data; boundary=x` names.
 *
 * @throws HttpError 400 when it is missing or cannot be one
 */
export function readBoundary(contentType: string): string {
  const parameters = readParameters(contentType)
  if (parameters === null) throw malformed('the parameters of its content-type cannot be read')
  const boundary = parameters.get('boundary')
  if (boundary === undefined || boundary === '') {
    const remedy = 'let the client make it (a browser or fetch() does when content-type is not set by hand)'
    throw malformed(`its content-type names no boundary; ${remedy}`)
  }
  if (boundary.length > longestBoundary) throw malformed(`its boundary is longer than ${longestBoundary} characters`)
  if (!/^[\x20-\x7e]*[\x21-\x7e]$/.test(boundary)) {
    throw malformed('its boundary has a character that none may have, or ends with a space')
  }
  return boundary
}

function malformed(problem: string): HttpError {
  return refusal('malformed-multipart', `the multipart form is malformed: ${problem}`)
}
