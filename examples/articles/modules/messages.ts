import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { HttpResponse, request, route } from 'rowhouse'

const binary = join(import.meta.dirname, '../binary')

route('/messages', { methods: ['POST'] }, async () => {
  switch (request.mimetype) {
    case 'text/plain':
      return `Text Message: ${await request.text()}`
    case 'application/json':
      return `JSON Message: ${JSON.stringify(request.bodyJson)}`
    case 'application/octet-stream':
      await writeFile(binary, request.body?.stream() ?? '')
      return 'Binary message written!'
    default:
      return new HttpResponse(415, '415 Unsupported Media Type ;)')
  }
})

// Files of a form: curl -F 'file=@message.bin' -F 'title=hello'
route('/upload', { methods: ['POST'] }, () => ({
  title: request.formParams['title'],
  files: [request.files['file'] ?? []].flat(),
}))
