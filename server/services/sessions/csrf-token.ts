import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto'

/** Bytes of an HMAC-SHA256. */
const length = 32
/** Mask and masked proof, as base64url. */
const form = /^[\w-]{86}$/

/**
 * A token for the pages of a session, which other sites cannot know: an HMAC under the id, so that nothing has to be stored. Under a mask of its own each time, which keeps compressed pages from telling it piece by piece (BREACH).
 */
export function csrfTokenOf(id: string): string {
  const mask = randomBytes(length)
  return Buffer.concat([mask, exclusiveOr(mask, proofOf(id))]).toString('base64url')
}

/** Whether a text is one of the tokens of the session with this id. */
export function isCsrfTokenOf(id: string, text: string): boolean {
  if (!form.test(text)) return false
  const bytes = Buffer.from(text, 'base64url')
  return timingSafeEqual(exclusiveOr(bytes.subarray(0, length), bytes.subarray(length)), proofOf(id))
}

function proofOf(id: string): Buffer {
  return createHmac('sha256', id).update('csrf').digest()
}

function exclusiveOr(one: Buffer, other: Buffer): Buffer {
  return Buffer.from(one.map((byte, index) => byte ^ (other[index] ?? 0)))
}
