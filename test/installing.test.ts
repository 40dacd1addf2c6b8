import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t from 'tap'

const root = fileURLToPath(new URL('..', import.meta.url))

interface Package {
  readonly gypfile?: boolean
}

const read = (...path: string[]): unknown => JSON.parse(readFileSync(join(root, ...path), 'utf8'))

t.test('npm ci compiles no package whose authors have said that it need not be', async (t) => {
  const { packages } = read('package-lock.json') as { packages: Readonly<Record<string, Package>> }
  const compiled = Object.keys(packages).filter((folder) => folder !== '' && existsSync(join(root, folder, 'binding.gyp')))
  const ready = compiled.filter((folder) => (read(folder, 'package.json') as Package).gypfile === false)
  t.strictSame(ready, ['node_modules/better-sqlite3'])
  for (const folder of ready) {
    t.equal(packages[folder]?.gypfile, false, `npm asks its lock file for this, and forgets to write it there when ${folder} changes: add "gypfile": false to package-lock.json`)
  }
})
