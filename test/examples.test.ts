import { execFile } from 'node:child_process'
import { cp, readdir, readFile, symlink } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import t from 'tap'
import { temporaryFolder } from './support/app.ts'
import { needs } from './support/needs.ts'
import { plainNode } from './support/plain-node.ts'
import { startServer } from './support/rowhouse-process.ts'

const run = promisify(execFile)
const root = fileURLToPath(new URL('..', import.meta.url))
/** The to-do example is the README's tutorial, which has a test of its own. */
const examples = (await readdir(join(root, 'examples'))).filter((name) => name !== 'todo')

/** The commands of a page's shell blocks, one to a line, which print nothing of interest. */
function preparationsOf(markdown: string): string[] {
  return [...markdown.matchAll(/^```sh\n([\s\S]*?)^```$/gm)].flatMap(([, text = '']) => text.trim().split('\n'))
}

/** The commands of a page's console blocks, each with what the page says that it prints. */
function commandsOf(markdown: string): { readonly command: string; readonly output: string }[] {
  return [...markdown.matchAll(/^```console\n([\s\S]*?)^```$/gm)].flatMap(([, text = '']) =>
    text
      .split(/^\$ /m)
      .slice(1)
      .map((part) => ({ command: part.split('\n')[0] ?? '', output: part.split('\n').slice(1).join('\n').trimEnd() })),
  )
}

/** A pattern for printed text, in which `…` stands for anything. */
function patternOf(output: string): RegExp {
  return new RegExp(`^${output.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&').replaceAll('…', '[\\s\\S]*?')}$`)
}

t.test('there are examples', async (t) => {
  t.ok(examples.length >= 3, examples.join(', '))
})

for (const name of examples) {
  t.test(`the example ${name} answers as its README says`, { skip: needs('bash', 'curl') }, async (t) => {
    const readme = await readFile(join(root, 'examples', name, 'README.md'), 'utf8')
    const [start, ...preparations] = preparationsOf(readme)
    t.match(start, new RegExp(`^npm run (?:--silent )?rowhouse -- start examples/${name}$`))
    const folder = await temporaryFolder(t)
    const directory = join(folder, 'examples', name)
    await cp(join(root, 'examples', name), directory, { recursive: true, filter: (source) => !source.endsWith('.rowhouse') })
    await cp(join(root, 'package.json'), join(folder, 'package.json'))
    await symlink(join(root, 'node_modules'), join(folder, 'node_modules'))
    const { url } = await startServer(t, directory)
    const commands = commandsOf(readme)
    t.ok(commands.length > 4)
    const shell = async (command: string): Promise<string> => (await run('bash', ['-c', command], { cwd: folder })).stdout
    for (const command of preparations) await shell(command.replace('npm run --silent rowhouse --', `${plainNode().join(' ')} ${join(root, 'dist/bin/rowhouse.js')}`))
    for (const { command, output } of commands) {
      const own = command.replace(/^curl /, 'curl --silent ').replaceAll(/http:\/\/127\.0\.0\.1:\d+/g, url)
      const read = async (): Promise<string> => (await shell(own)).replaceAll('\r', '').replaceAll(url, /http:\/\/127\.0\.0\.1:\d+/.exec(output)?.[0] ?? url).trimEnd()
      let printed = await read()
      // Lines of a log are gathered before they are written.
      for (let round = 0; round < 50 && command.startsWith('tail ') && !patternOf(output).test(printed); round++) printed = await read()
      t.match(printed, patternOf(output), command)
    }
  })
}
