import module from 'node:module'

/** What the native parts are made for, the database driver and the password hashes; an older Node.js crashes without a word while it loads them. `engines` in package.json says the same in versions. */
const oldestNodeApi = 10

/** This Node.js is too old. The message is one sentence that says what to do. */
class UnsupportedNode extends Error {
  override readonly name = 'UnsupportedNode'
}

const { node: version, napi } = process.versions
// Node.js 22.14 has that too, but not the hooks by which the source of apps is run.
if (Number(napi) < oldestNodeApi || typeof module.registerHooks !== 'function') {
  throw new UnsupportedNode(
    `Rowhouse needs Node.js 22.15 or newer (of Node.js 23, 23.6), and this is ${version}; install a current one and run "npm install" again, or run "npm install node@26" in the app's folder, which brings one for "npx rowhouse" and the scripts of its package.json`,
  )
}
