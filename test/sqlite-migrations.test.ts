import t from 'tap'
import { DatabaseFailure } from '../dist/db/errors/errors.js'
import { migrate, type Migration } from '../dist/db/migrate.js'
import { platformMigrations } from '../dist/migrations/index.js'
import { takesLong } from './support/needs.ts'
import { childProgram, startNode } from './support/sqlite-child.ts'
import { openEngine } from './support/sqlite-engine.ts'

const step = (number: number, ...statements: string[]): Migration => ({ number, name: `step ${number}`, statements: () => statements })

t.test('the steps of the platform are numbered without gaps and run once', async (t) => {
  t.same(
    platformMigrations.map((migration) => migration.number),
    platformMigrations.map((_, index) => index + 1),
  )
  const { engine, directory } = await openEngine(t)
  t.same(await migrate(engine, platformMigrations), platformMigrations)
  t.same(await migrate(engine, platformMigrations), [])
  const tables = await engine.read({ text: "SELECT name FROM sqlite_schema WHERE type = 'table' AND name LIKE 'rowhouse%' ORDER BY name" }, [])
  t.same(tables, [['rowhouse_login_failures'], ['rowhouse_migrations'], ['rowhouse_rate_limits'], ['rowhouse_sessions'], ['rowhouse_settings'], ['rowhouse_tables']])
  await engine.write({ text: 'INSERT INTO rowhouse_tables (name, definition) VALUES (?1, ?2)' }, ['tasks', '{}'])
  await t.rejects(engine.write({ text: 'INSERT INTO rowhouse_tables (name, definition) VALUES (?1, ?2)' }, ['tasks', '{}']), { code: 'not-unique' })
  const failure = { text: 'INSERT INTO rowhouse_login_failures VALUES (?1, ?2, 1, ?3, ?3)' }
  await engine.write(failure, ['ann', '10.0.0.0/24', Date.now()])
  await t.rejects(engine.write(failure, ['ann', '10.0.0.0/24', Date.now()]), { code: 'not-unique' })
  const plan = await engine.read({ text: 'EXPLAIN QUERY PLAN SELECT 1 FROM rowhouse_login_failures WHERE last_failure < 5' }, [])
  t.match(plan[0]?.[3], /SEARCH .* USING .*INDEX/)
  await engine.close()
  const again = await openEngine(t, { directory })
  t.same(await migrate(again.engine, platformMigrations), [])
})

t.test('a step that fails leaves nothing of itself, and the steps before it', async (t) => {
  const { engine } = await openEngine(t)
  const good = step(1, 'CREATE TABLE one (a INTEGER) STRICT')
  const bad = step(2, 'CREATE TABLE two (a INTEGER) STRICT', 'INSERT INTO two VALUES (1)', 'INSERT INTO missing VALUES (1)')
  await t.rejects(migrate(engine, [good, bad]), /no such table: missing/)
  t.same(await engine.read({ text: 'SELECT number, name FROM rowhouse_migrations' }, []), [[1, 'step 1']])
  t.same(await engine.read({ text: "SELECT count(*) FROM sqlite_schema WHERE name = 'two'" }, []), [[0]])
  const mended = step(2, 'CREATE TABLE two (a INTEGER) STRICT')
  t.same(await migrate(engine, [good, mended]), [mended])
})

t.test('a database with a step that is unknown here, or another one, is refused', async (t) => {
  const { engine } = await openEngine(t)
  const first = step(1, 'CREATE TABLE one (a INTEGER) STRICT')
  const second = step(2, 'CREATE TABLE two (a INTEGER) STRICT')
  await migrate(engine, [first, second])
  const newer: unknown = await migrate(engine, [first]).catch((error: unknown) => error)
  t.type(newer, DatabaseFailure)
  t.match(newer, { message: /^the database was made by a newer Rowhouse: it has migration 2 \(step 2\), which this version does not know; start that version/ })
  const changed: unknown = await migrate(engine, [first, step(2, 'CREATE TABLE two (b INTEGER) STRICT')]).catch((error: unknown) => error)
  t.type(changed, DatabaseFailure)
  t.match(changed, { message: /^migration 2 \(step 2\) is not the one that this database has run/ })
  const late: unknown = await migrate(engine, [step(0, 'CREATE TABLE zero (a INTEGER) STRICT'), first, second]).catch((error: unknown) => error)
  t.match(late, { message: /^migration 0 \(step 0\) comes before migration 2, which this database has already run/ })
})

t.test('processes that start at once run each step once', { skip: takesLong('it starts four processes at once') }, async (t) => {
  const { program, directory } = childProgram(
    t,
    `
    const { migrate } = await import(${JSON.stringify(new URL('../dist/db/migrate.js', import.meta.url).href)})
    const engine = await open({ exclusive: false })
    const steps = Array.from({ length: 12 }, (_, index) => ({
      number: index + 1,
      name: 'step',
      statements: () => ['CREATE TABLE t' + index + ' (a INTEGER) STRICT', 'INSERT INTO t' + index + ' VALUES (1)'],
    }))
    for (const { number } of await migrate(engine, steps)) say('ran ' + number)
    await engine.close()
    `,
  )
  const children = [1, 2, 3, 4].map(() => startNode(t, program, [directory]))
  t.same(await Promise.all(children.map((child) => child.end())), [0, 0, 0, 0])
  const ran = children.flatMap((child) => child.lines).map((line) => Number(line.slice(4)))
  t.same(
    ran.toSorted((a, b) => a - b),
    Array.from({ length: 12 }, (_, index) => index + 1),
  )
})

t.test('killed in the middle of its steps, the next start goes on where it stopped', { skip: takesLong('it starts four processes, one after the other') }, async (t) => {
  const { program, directory } = childProgram(
    t,
    `
    const { migrate } = await import(${JSON.stringify(new URL('../dist/db/migrate.js', import.meta.url).href)})
    const engine = await open()
    const steps = Array.from({ length: 200 }, (_, index) => ({
      number: index + 1,
      name: 'step',
      statements: () => {
        if (process.argv[3] === String(index + 1)) process.kill(process.pid, 'SIGKILL')
        return ['CREATE TABLE t' + index + ' (a INTEGER) STRICT', 'INSERT INTO t' + index + ' VALUES (1)']
      },
    }))
    const done = await migrate(engine, steps)
    say('ran ' + done.length + ' from ' + done[0].number)
    await engine.close()
    `,
  )
  for (const stop of ['1', '50', '120']) {
    const child = startNode(t, program, [directory, stop])
    t.equal(await child.end(), null)
  }
  const last = startNode(t, program, [directory])
  t.equal(await last.end(), 0)
  t.same(last.lines, ['ran 81 from 120'])
})
