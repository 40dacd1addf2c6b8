import { readFile, writeFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { collectAnswers, formatAnswers, formatCase, type GoldenAnswers } from './support/error-answers.ts'
import { failingApps } from './support/failing-apps.ts'
import { takesLong } from './support/needs.ts'

/** Written anew by `WRITE_GOLDEN=1 npx tap test/error-answers.test.ts`; its changes are read like those of code. */
const file = fileURLToPath(new URL('golden/error-answers.json', import.meta.url))
const isWriting = process.env['WRITE_GOLDEN'] === '1'

t.test('every error answer, in each of its dresses, is the one that is written down', { skip: takesLong('it asks for each of hundreds of error answers'), timeout: 120_000 }, async (t) => {
  const started = []
  for (const [name, start] of Object.entries(failingApps)) started.push({ name, ...(await start(t)) })
  const collected = Object.fromEntries(
    await Promise.all(
      started.map(async ({ name, port, cases }) => [name, await collectAnswers(port, cases)] as const),
    ),
  )
  if (isWriting) await writeFile(file, formatAnswers(collected))
  const golden = JSON.parse(await readFile(file, 'utf8')) as GoldenAnswers
  t.same(Object.keys(collected), Object.keys(golden))
  for (const [app, cases] of Object.entries(collected)) {
    t.same(Object.keys(cases), Object.keys(golden[app] ?? {}), app)
    // As text, so that the order of the members counts.
    for (const [name, answers] of Object.entries(cases)) {
      t.equal(formatCase(answers), formatCase(golden[app]?.[name] ?? {}), `${app}: ${name}`)
    }
  }
})
