import { HttpResponse, log, request, route } from 'rowhouse'

// A parameter of the query that may be left out.
route('/hello', () => ('name' in request.queryParams ? `Hello ${request.queryParams['name']}` : 'Hello John Doe'))

// A response with a type and headers of its own.
route('/hello/data', () => {
  const response = new HttpResponse(200, '{"hello": "world", "number": 3}', { 'content-type': 'application/json' })
  response.headers.set('link', 'http://luisrei.com')
  return response
})

// What is logged is in app.log too: see rowhouse.config.ts.
route('/hello/log', () => {
  log.info('informing')
  log.warn('warning')
  log.error('screaming bloody murder!')
  return 'check your logs\n'
})
