import { crudEndpoints } from 'rowhouse'
import { tables } from '../tables.js'

crudEndpoints('/tasks', tables.tasks, { ownedBy: 'owner', authenticateUsers: true, columns: ['title', 'done'] })
