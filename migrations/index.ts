import type { Migration } from '../db/migrate.js'
import { tableRegistry } from './0001-table-registry.js'
import { loginFailures } from './0002-login-failures.js'
import { settings } from './0003-settings.js'
import { rateLimits } from './0004-rate-limits.js'
import { sessions } from './0005-sessions.js'

/** The steps of the platform's own tables, in the order in which they run. A new one goes to the end; none is ever changed or taken out. */
export const platformMigrations: readonly Migration[] = [tableRegistry, loginFailures, settings, rateLimits, sessions]
