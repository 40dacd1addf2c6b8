import { createHash, timingSafeEqual } from 'node:crypto'
import { requiresAuth, route } from 'rowhouse'

const digest = (text: string): Buffer => createHash('sha256').update(text).digest()

/** Compares in a time that does not tell how much of a guess is right. */
const equals = (one: string, other: string): boolean => timingSafeEqual(digest(one), digest(other))

const admin = requiresAuth(({ username, password }) => equals(`${username}:${password}`, 'admin:secret'), {
  challenge: 'Basic realm="Example"',
  refusal: { message: 'Authenticate.' },
})

route('/secrets', admin(() => 'Shhh this is top secret spy stuff!'))
