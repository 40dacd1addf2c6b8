import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { outside } from './support/app.ts'
import { needs, takesLong } from './support/needs.ts'
import { plainNode } from './support/plain-node.ts'

const program = fileURLToPath(new URL('../dist/bin/rowhouse.js', import.meta.url))
const password = 'correct horse battery'
const modules = { 'a.ts': `import { httpEndpoint } from 'rowhouse'\nhttpEndpoint('/hello', () => 'Hello')\n` }

/** Runs the command in a shell whose line has the command as `"$@"`; `ended` is the code with which it ended. */
function shell(line: string, words: readonly string[], cwd?: string) {
  const { stdout, stderr } = spawnSync('bash', ['-c', `${line}; echo "ended $\{PIPESTATUS[0]}"`, 'bash', ...plainNode(), program, ...words], { encoding: 'utf8', cwd, input: `${password}\n` })
  return { ended: Number(/ended (\d+)/.exec(stdout)?.[1]), stderr }
}

t.test('a command whose reader has gone says nothing about it and ends with the code of its work', { skip: needs('bash') || takesLong('it runs the command many times') }, async (t) => {
  const directory = t.testdir({ modules, broken: { modules: { 'a.ts': `import { httpEndpoint } from 'rowhouse'\nhttpEndpoint('no slash', () => 1)\n` } } })
  const data = join(directory, 'data')
  t.same(shell('"$@" | true', ['users', 'add', 'a@x.io', '--data', data]), { ended: 0, stderr: '' })
  for (const words of [['users', 'list', '--data', data], ['users', 'list', '--json', '--data', data], ['users', 'disable', 'a@x.io', '--data', data], ['routes', directory], ['start', '--help']]) {
    t.same(shell('"$@" | true', words), { ended: 0, stderr: '' }, words.join(' '))
  }
  t.match(shell('"$@" | true', ['users', 'list', '--data', join(directory, 'none')]), { ended: 1, stderr: /^there is no database/ }, 'what goes wrong is told all the same')
  t.equal(shell('"$@" 2>&1 | true', ['check', await outside(t, join(directory, 'broken'))]).ended, 1, 'also where standard error has no reader either')
})

t.test('a command whose output cannot be written says so in one sentence and ends with 1', { skip: needs('bash') || (!existsSync('/dev/full') && 'it needs /dev/full') || takesLong('it runs the command many times') }, (t) => {
  const directory = t.testdir({ modules })
  const data = join(directory, 'data')
  shell('"$@"', ['users', 'add', 'a@x.io', '--data', data])
  for (const words of [['users', 'list', '--data', data], ['users', 'list', '--json', '--data', data], ['routes', directory], ['--help'], ['--version']]) {
    t.same(shell('"$@" > /dev/full', words), { ended: 1, stderr: 'standard output cannot be written (ENOSPC), so what was to be said here is missing; make room there, or send it elsewhere\n' }, words.join(' '))
  }
  t.end()
})
