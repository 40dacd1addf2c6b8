import { hash, randomBytes } from 'node:crypto'

/** Bytes of an id: 256 bits, which nobody can guess. */
const idLength = 32
/** Bytes of a handle. It opens nothing by itself, and is not to be guessed all the same. */
const handleLength = 16
/** An id as base64url. */
const form = /^[\w-]{43}$/

/** A new id of a session: what its browser shows, and nobody else knows. */
export function generateSessionId(): string {
  return randomBytes(idLength).toString('base64url')
}

/** Whether a text could be an id. */
export function isSessionId(text: string): boolean {
  return form.test(text)
}

/** By what a session is found in the database. Whoever reads that has no id: one of 256 random bits cannot be found by trying, so a plain SHA-256 does. */
export function hashOfId(id: string): string {
  return hash('sha256', id, 'base64url')
}

/** A new name of a session for those who may know of it. */
export function generateHandle(): string {
  return randomBytes(handleLength).toString('base64url')
}
