/**
 * The command that runs Node.js as a user does, with these `NODE_OPTIONS`. tap gives every Node.js process that a test
 * starts a loader of its own and `--no-warnings`, which doubles the time of its start and hides what Node.js has to say.
 */
export function plainNode(nodeOptions = ''): [command: string, ...words: string[]] {
  return ['env', `NODE_OPTIONS=${nodeOptions}`, process.execPath]
}
