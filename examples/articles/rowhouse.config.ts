import { defineConfig } from 'rowhouse'

export default defineConfig({
  port: 5000,
  logging: { file: 'app.log', format: 'message' },
})
