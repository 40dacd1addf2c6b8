import { spawnSync } from 'node:child_process'
import t from 'tap'
import { takesLong } from './support/needs.ts'

/** Runs a file with one test that needs strace, where `PATH` leads nowhere, and tells how it ended. */
function runWithout(environment: Readonly<Record<string, string>>) {
  const module = new URL('support/needs.ts', import.meta.url).href
  const source = `import t from 'tap'; import { needs } from '${module}'; t.test('one', { skip: needs('strace') }, async (t) => t.pass())`
  const words = ['--input-type=module', '--eval', source]
  const { status, stdout, stderr } = spawnSync(process.execPath, words, { encoding: 'utf8', env: { PATH: '/nowhere', ...environment } })
  return { status, stdout, stderr }
}

t.test('a test that needs what is not there is skipped and counted, and fails where CI is set', { skip: takesLong('it runs the tests several times') }, async (t) => {
  const skipped = runWithout({})
  t.equal(skipped.status, 0)
  t.match(skipped.stdout, /^ok 1 - one # SKIP it needs strace, which is not there; install the Debian package strace$/m)
  t.match(skipped.stdout, /^# \{.*skip: 1 \}$/m)
  t.equal(runWithout({ CI: 'false' }).status, 0)
  for (const CI of ['true', '1']) {
    const failed = runWithout({ CI })
    t.not(failed.status, 0)
    t.match(failed.stdout + failed.stderr, 'a test cannot run: it needs strace, which is not there; install the Debian package strace')
  }
})

t.test('the fast lane leaves out what needs strace or takes long, and says so, in CI too', async (t) => {
  const left = runWithout({ TEST_LANE: 'fast', CI: 'true' })
  t.equal(left.status, 0)
  t.match(left.stdout, '# SKIP it needs strace: left out of the fast lane')
})
