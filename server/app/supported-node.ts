/** The oldest Node.js that Rowhouse runs on, as `engines` in package.json says too: the database driver needs Node-API 10, and an older one crashes while it loads it. */
const oldest = [22, 14] as const

/** This Node.js is too old. The message is one sentence that says what to do. */
class UnsupportedNode extends Error {
  override readonly name = 'UnsupportedNode'
}

const { node: version } = process.versions
const [major = 0, minor = 0] = version.split('.').map(Number)
if (major < oldest[0] || (major === oldest[0] && minor < oldest[1])) {
  throw new UnsupportedNode(
    `Rowhouse needs Node.js ${oldest.join('.')} or newer, and this is ${version}; install a current one, or run "npm install node@26" in the app's folder, which brings one for "npx rowhouse" and the scripts of its package.json`,
  )
}
