import { abort, errorHandler, jsonify, route } from 'rowhouse'

const users: Readonly<Record<string, string>> = { '1': 'john', '2': 'steve', '3': 'bill' }

route('/users/<userid>', ({ userid }) => (Object.hasOwn(users, userid) ? { [userid]: users[userid] } : abort(404)))

// Whatever is not found is told in this form, paths that nobody has declared included.
errorHandler(404, (_error, request) => jsonify({ status: 404, message: `Not Found: ${request.url}` }, 404))
