import { createHmac } from 'node:crypto'
import type { Runtime } from 'node:inspector'
import { Session } from 'node:inspector/promises'
import t from 'tap'
import { HashingOverloaded, WeakPassword } from '../dist/server/services/accounts/errors.js'
import { HashingQueue, type Origin } from '../dist/server/services/accounts/hashing-queue.js'
import { KeyedHash } from '../dist/server/services/accounts/keyed-hash.js'
import { networkOf, networksAround } from '../dist/server/services/accounts/network.js'
import { PasswordHashing } from '../dist/server/services/accounts/password-hashing.js'
import { checkNewPassword } from '../dist/server/services/accounts/passwords.js'
import { RandomMap } from '../dist/server/services/accounts/random-map.js'
import { VerifiedCredentials } from '../dist/server/services/accounts/verified-credentials.js'

const somewhere: Origin = { network: '192.0.2.1', account: 'a@x.io' }
const admitted = async () => {}

/** A queue for one at a time, held busy until `open` is called, and a record of who was served and who was refused. */
function busyQueue(places: number) {
  const queue = new HashingQueue(1, places)
  const served: string[] = []
  const refused: string[] = []
  let open = () => {}
  const gate = new Promise<void>((resolve) => (open = resolve))
  const jobs = [queue.run({ network: 'first', account: 'first' }, () => gate)]
  const ask = (name: string, network: string, account = 'a') => {
    const job = queue.run({ network, account }, async () => {
      served.push(name)
    })
    jobs.push(job.catch((error: unknown) => {
      if (!(error instanceof HashingOverloaded) || error.retryAfterSeconds < 1) throw error
      refused.push(name)
    }))
  }
  const finish = async () => {
    open()
    await Promise.all(jobs)
    return { served, refused }
  }
  return { ask, finish }
}

t.test('when all waiting places are taken by one network, its newest gives way to another network, and a further one of its own is refused', async (t) => {
  const { ask, finish } = busyQueue(4)
  for (const name of ['f1', 'f2', 'f3', 'f4', 'f5']) ask(name, 'flood')
  ask('owner', 'home')
  const { served, refused } = await finish()
  t.strictSame(refused, ['f5', 'f4'])
  t.strictSame(served, ['f1', 'owner', 'f2', 'f3'], 'and the owner does not wait behind the flood')
})

t.test('networks with equally many places and asks draw lots, so that neither those who wait nor a newcomer are kept out by equals', async (t) => {
  const losers = new Set<string>()
  for (let round = 0; round < 100 && losers.size < 3; round++) {
    const { ask, finish } = busyQueue(2)
    ask('a', 'one')
    ask('b', 'two')
    ask('c', 'three')
    const { served, refused } = await finish()
    t.equal(served.length, 2)
    t.equal(refused.length, 1)
    losers.add(refused.join())
  }
  t.strictSame([...losers].sort(), ['a', 'b', 'c'])
})

t.test('where every network holds one place, one that has asked more lately gives way to a newcomer, however many there are', async (t) => {
  const { ask, finish } = busyQueue(4)
  for (let round = 0; round < 3; round++) for (let n = 0; n < 40; n++) ask(`${n}`, `198.51.100.${n}`)
  ask('owner', '203.0.113.9')
  for (let round = 0; round < 3; round++) for (let n = 0; n < 40; n++) ask(`${n}`, `198.51.100.${n}`)
  const { served } = await finish()
  t.equal(served.length, 4)
  t.ok(served.includes('owner'), 'who is not pushed out again by those who ask on')
})

t.test('the /64s of one /56, and the /56s of one /48, have one turn and one share together', async (t) => {
  for (const group of [(n: number) => `64${n}`.slice(-2), (n: number) => `${n}00`]) {
    const { ask, finish } = busyQueue(4)
    for (let n = 10; n < 50; n++) ask(`${n}`, networkOf(`2001:db8:1:${group(n)}::1`))
    ask('owner', '203.0.113.9')
    ask('other', networkOf('2001:db8:2::1'))
    const { served } = await finish()
    t.equal(served.length, 4)
    t.strictSame(served.slice(0, 3).filter((name) => Number.isNaN(Number(name))).sort(), ['other', 'owner'], 'the others come in their turn')
  }
})

t.test('a map that strangers fill gives up any of its entries, so that nobody can make a certain one go', async (t) => {
  const map = new RandomMap<number>(100)
  for (let n = 0; n < 1000; n++) map.set(`${n}`, n)
  map.set('999', -1)
  const kept = Array.from({ length: 1000 }, (_, n) => map.get(`${n}`)).filter((value) => value !== undefined)
  t.equal(kept.length, 100)
  t.equal(map.get('999'), -1)
  t.ok(kept.some((value) => value >= 0 && value < 900), 'not the newest alone')
})

t.test('within one network, places and turns are shared between accounts', async (t) => {
  const { ask, finish } = busyQueue(4)
  for (const name of ['f1', 'f2', 'f3', 'f4']) ask(name, 'office', 'flooded')
  ask('colleague', 'office', 'other')
  ask('f5', 'office', 'flooded')
  const { served, refused } = await finish()
  t.strictSame(refused.sort(), ['f4', 'f5'])
  t.strictSame(served, ['f1', 'colleague', 'f2', 'f3'])
})

t.test('a place given up by the only one of its network or account leaves nothing behind that would lose a turn', async (t) => {
  const { ask, finish } = busyQueue(3)
  ask('m1', 'many', 'a')
  ask('m2', 'many', 'b')
  ask('m3', 'many', 'c')
  ask('x', 'x')
  ask('y', 'y')
  const { served, refused } = await finish()
  t.equal(served.length, 3)
  t.equal(refused.length, 2)
  t.ok(served.includes('x'))
})

t.test('work that fails frees its place for the next', async (t) => {
  const queue = new HashingQueue(1, 1)
  await t.rejects(queue.run(somewhere, () => Promise.reject(new Error('refused'))), { message: 'refused' })
  t.equal(await queue.run(somewhere, async () => 'next'), 'next')
})

t.test('a stored hash is argon2id with at least 19 MiB and two passes, and matches its password only', async (t) => {
  const hashing = new PasswordHashing()
  const stored = await hashing.hash('correct horse', somewhere)
  t.match(stored, /^\$argon2id\$v=19\$m=19456,p=1,t=2\$/)
  t.notMatch(stored, /correct/)
  t.not(stored, await hashing.hash('correct horse', somewhere), 'each hash has a salt of its own')
  t.equal(await hashing.matches(stored, 'correct horse', somewhere, admitted), true)
  t.equal(await hashing.matches(stored, 'correct horsf', somewhere, admitted), false)
})

t.test('the cost can be raised, but not lowered', async (t) => {
  t.throws(() => new PasswordHashing({ memoryKiB: 19_455 }), { name: 'RangeError', message: /memoryKiB of at least 19456, got 19455/ })
  t.throws(() => new PasswordHashing({ iterations: 1 }), RangeError)
  t.throws(() => new PasswordHashing({ iterations: Number.NaN }), RangeError)
  const raised = new PasswordHashing({ iterations: 3 })
  const stored = await raised.hash('correct horse', somewhere)
  t.match(stored, /t=3/)
  t.equal(raised.isOutdated(stored), false)
  t.equal(new PasswordHashing().isOutdated(stored), false, 'a dearer hash is kept when the configuration goes back')
  t.equal(new PasswordHashing({ iterations: 4 }).isOutdated(stored), true)
})

t.test('no stored hash, or one that is none, matches nothing and throws nothing', async (t) => {
  const hashing = new PasswordHashing()
  for (const stored of [null, '', 'x', '$2b$10$abcdefghijklmnopqrstuv', '$argon2id$v=19$m=19456,t=2,p=1$$']) {
    t.equal(await hashing.matches(stored, 'correct horse', somewhere, admitted), false)
  }
})

t.test('a new password is checked against each rule, and the refusal says which, never the password', async (t) => {
  const refuses = async (password: string, rule: string) => {
    const error: unknown = await checkNewPassword(password, 'me@example.com').then(() => null, (reason: unknown) => reason)
    t.ok(error instanceof WeakPassword && error.rule === rule, `${rule} for a password of ${password.length} units`)
    t.notMatch(String(error), password || 'nothing')
  }
  await refuses('', 'too-short')
  await refuses('1234567', 'too-short')
  await refuses('😀😀😀😀', 'too-short')
  await refuses('e\u0301'.repeat(7), 'too-short')
  await refuses('x'.repeat(257), 'too-long')
  await refuses('pass\0word-and-more', 'unusable-character')
  await refuses('two lines\nof it', 'unusable-character')
  await refuses('half a \ud83d character', 'unusable-character')
  await refuses('password1', 'too-common')
  await refuses('QwErTyUiOp', 'too-common')
  await refuses('Me@Example.COM', 'is-the-email')
  await refuses('😀'.repeat(8), 'too-simple')

  const faces = String.fromCodePoint(...Array.from({ length: 256 }, (_, n) => 0x1f300 + ((n * n * 7) % 251)))
  const few = [...faces].slice(0, 8).join('')
  t.equal(await checkNewPassword(few, 'a@x.io'), few, 'characters are code points')
  t.equal(await checkNewPassword(faces, 'a@x.io'), faces)
  t.equal(await checkNewPassword('e\u0301tude number 3', 'a@x.io'), '\u00e9tude number 3', 'the composed form is what is compared')
  t.equal(await checkNewPassword('  spaces: kept  ', 'a@x.io'), '  spaces: kept  ')
})

t.test('an IPv4 address is a network, and so is the /64 of an IPv6 address, however it is written', async (t) => {
  t.equal(networkOf('192.0.2.7'), '192.0.2.7')
  t.equal(networkOf('::ffff:192.0.2.7'), '192.0.2.7')
  t.equal(networkOf('::ffff:c000:207'), '192.0.2.7')
  const network = networkOf('2001:db8:1:2::1')
  t.equal(networkOf('2001:db8:1:2:ffff:ffff:ffff:ffff'), network)
  t.equal(networkOf('2001:0DB8:0001:0002::192.0.2.7'), network)
  t.not(networkOf('2001:db8:1:3::1'), network)
  t.equal(networkOf('fe80::1%eth0'), networkOf('fe80::2%eth1'))
  t.equal(networkOf('::1'), '0:0:0:0::/64')
  t.equal(networkOf(''), '')
})

t.test('the /56 and the /48 around a /64 are known, and nothing is around an IPv4 address', async (t) => {
  t.strictSame(networksAround(networkOf('2001:db8:1:2fe::1')), ['2001:db8:1:2fe::/64', '2001:db8:1:200::/56', '2001:db8:1::/48'])
  t.strictSame(networksAround(networkOf('2001:db8:1:fe::1')).slice(1), ['2001:db8:1:0::/56', '2001:db8:1::/48'])
  for (const alone of ['192.0.2.7', 'own', '']) t.strictSame(networksAround(alone), [alone])
})

t.test('hashes are read in both orders in which their parameters have been written down, and none of the two is renewed for its order', async (t) => {
  const hashing = new PasswordHashing()
  const byArgon2044 = '$argon2id$v=19$m=19456,t=2,p=1$XZx7geVPJITN9G6lAaXv2Q$UjpxRSKybZza4K09VH6Bi92aW3hx7WsYbwGoBW1GryM'
  const byArgon2045 = '$argon2id$v=19$m=19456,p=1,t=2$XZx7geVPJITN9G6lAaXv2Q$UjpxRSKybZza4K09VH6Bi92aW3hx7WsYbwGoBW1GryM'
  for (const stored of [byArgon2044, byArgon2045, await hashing.hash('a quiet afternoon', somewhere)]) {
    t.equal(await hashing.matches(stored, 'a quiet afternoon', somewhere, admitted), true, stored)
    t.equal(await hashing.matches(stored, 'a loud afternoon', somewhere, admitted), false)
    t.equal(hashing.isOutdated(stored), false)
  }
  for (const weaker of [byArgon2044.replace('t=2', 't=1'), byArgon2045.replace('m=19456', 'm=4096'), byArgon2045.replace('id$v', 'i$v')]) t.equal(hashing.isOutdated(weaker), true, weaker)
  for (const none of ['$argon2id$v=19$m=19456,p=1$c2FsdHNhbHQ$aGFzaA', '$argon2id$v=19$m=19456,m=19456,t=2$c2FsdHNhbHQ$aGFzaA', '']) {
    t.equal(await hashing.matches(none, 'a quiet afternoon', somewhere, admitted), false)
    t.equal(hashing.isOutdated(none), true)
  }
})

const credentials = { userId: '[1,1]', password: 'correct horse', storedHash: '$argon2id$…', epoch: 0 }

t.test('remembered credentials are found again until five minutes have passed, and not after', async (t) => {
  let now = 1000
  const remembered = new VerifiedCredentials(() => now)
  const fingerprint = remembered.fingerprint(credentials)
  t.equal(remembered.has(fingerprint), false)
  remembered.remember(fingerprint)
  now += 5 * 60 * 1000 - 1
  t.equal(remembered.has(fingerprint), true)
  now += 1
  t.equal(remembered.has(fingerprint), false)
})

t.test('a change of user, password, stored hash or epoch, or of where one ends and the next begins, is another fingerprint', async (t) => {
  const remembered = new VerifiedCredentials()
  const others = [
    credentials,
    { ...credentials, userId: '[1,11]' },
    { ...credentials, epoch: 1 },
    { ...credentials, password: 'correct hors', storedHash: 'e$argon2id$…' },
    { ...credentials, password: 'correct horse$', storedHash: 'argon2id$…' },
  ].map((one) => remembered.fingerprint(one))
  t.equal(new Set(others).size, others.length)
  t.equal(remembered.fingerprint({ ...credentials }), others[0])
  t.not(new VerifiedCredentials().fingerprint(credentials), others[0], 'each process has a key of its own')
})

t.test('at most 10,000 credentials are remembered, and the oldest gives way', async (t) => {
  const remembered = new VerifiedCredentials()
  const fingerprints = Array.from({ length: 10_001 }, (_, row) => remembered.fingerprint({ ...credentials, userId: `[1,${row}]` }))
  for (const fingerprint of fingerprints) remembered.remember(fingerprint)
  t.equal(fingerprints.filter((fingerprint) => remembered.has(fingerprint)).length, 10_000)
  t.equal(remembered.has(fingerprints[0] ?? ''), false)
})

t.test('the memory holds keyed hashes only: no password and no stored hash', async (t) => {
  const remembered = new VerifiedCredentials()
  remembered.remember(remembered.fingerprint(credentials))
  const contents = await privateContents(remembered)
  t.match(contents, remembered.fingerprint(credentials), 'what is kept has been found')
  t.notMatch(contents, /correct|horse/)
  t.notMatch(contents, /argon2id/)
})

t.test('a keyed hash is HMAC-SHA256 as Node.js computes it, for texts of any length and script', async (t) => {
  for (const key of [Buffer.alloc(0), Buffer.from('key'), Buffer.alloc(64, 0xaa), Buffer.alloc(131, 0xbb)]) {
    const keyed = new KeyedHash(key)
    for (const text of ['', 'what do ya want for nothing?', 'x'.repeat(63), '\u00e9'.repeat(700), '😀'.repeat(5000), 'short again']) {
      t.equal(keyed.of(text), createHmac('sha256', key).update(text).digest('base64'))
    }
  }
})

/** All texts and bytes in the private fields of an object and of what they hold, as a debugger sees them. */
async function privateContents(object: object): Promise<string> {
  const session = new Session()
  session.connect()
  const scope = globalThis as { inspectedObject?: object }
  scope.inspectedObject = object
  const { result } = await session.post('Runtime.evaluate', { expression: 'inspectedObject' })
  delete scope.inspectedObject
  const seen: string[] = []
  const look = async (found: Runtime.RemoteObject | undefined): Promise<void> => {
    if (typeof found?.value === 'string') seen.push(found.value)
    if (found?.objectId === undefined || found.type === 'function') return
    const { objectId } = found
    if (found.subtype === 'typedarray') {
      const bytes = await session.post('Runtime.callFunctionOn', { objectId, functionDeclaration: 'function () { return this.toString("latin1") }', returnByValue: true })
      return look(bytes.result)
    }
    const properties = await session.post('Runtime.getProperties', { objectId, ownProperties: true })
    // The type declarations leave out what the protocol documents as experimental.
    const { privateProperties = [] } = properties as { privateProperties?: { value?: Runtime.RemoteObject }[] }
    const entries = (properties.internalProperties ?? []).filter(({ name }) => name === '[[Entries]]')
    const members = found.subtype === undefined && privateProperties.length > 0 ? [] : properties.result.filter(({ enumerable }) => enumerable)
    for (const { value } of [...privateProperties, ...entries, ...members]) await look(value)
  }
  await look(result)
  session.disconnect()
  return seen.join('\n')
}
