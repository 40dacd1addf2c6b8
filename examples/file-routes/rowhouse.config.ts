import { defineConfig } from 'rowhouse'

export default defineConfig({ port: 8000 })
