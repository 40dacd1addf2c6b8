import { request, route } from 'rowhouse'

route('/echo', { methods: ['GET', 'POST', 'PATCH', 'PUT', 'DELETE'] }, () => `ECHO: ${request.method}\n`)
