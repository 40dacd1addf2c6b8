import { createHook } from 'node:async_hooks'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { takesLong } from './support/needs.ts'
import { transactionScope } from './support/transaction-scope.ts'
import { openDatabase, type Database } from '../dist/db/database.js'
import { defineTables } from '../dist/db/schema/define-tables.js'
import { platformMigrations } from '../dist/migrations/index.js'
import { HashingOverloaded, TooManyFailures } from '../dist/server/services/accounts/errors.js'
import { Users, type UsersOptions } from '../dist/server/services/accounts/users.js'

const here = '192.0.2.1'
const elsewhere = '198.51.100.7'
const password = 'correct horse battery'
const minute = 60_000
const hashesOften = takesLong('it makes dozens of hashes')
/** Where the clock stands while attempts have to wait, so that no wait ends in between. */
const newYear = Date.parse('2030-01-01')

/** Every argon2 hash that this process starts, as Node.js sees it. */
let hashes = 0
createHook({
  init(_id, type) {
    if (type === 'argon2:HashWorker') hashes++
  },
}).enable()

async function hashesOf<Result>(work: () => Promise<Result>): Promise<number> {
  const before = hashes
  await work()
  return hashes - before
}

interface Opened {
  readonly users: Users
  readonly database: Database
  readonly table: Database['users']
}

const log = { info: () => {}, warn: () => {}, error: () => {} }

/** A users service on the database in a folder. Several at once are several processes, as far as users are concerned. */
async function open(t: Test, directory: string, options: Omit<UsersOptions, 'database'> = {}): Promise<Opened> {
  const database = await openDatabase({ directory, tables: defineTables({}), migrations: platformMigrations, scope: transactionScope(), exclusive: false, undeclared: 'ignore', log })
  t.teardown(() => database.close())
  return { users: new Users({ database, ...options }), database, table: database.users }
}

type Outcome = 'in' | 'refused' | 'waits' | 'overloaded'

/** What became of an attempt. */
async function outcome(attempt: Promise<object | null>): Promise<Outcome> {
  try {
    return (await attempt) === null ? 'refused' : 'in'
  } catch (error) {
    if (error instanceof TooManyFailures && error.retryAfterSeconds >= 1) return 'waits'
    if (error instanceof HashingOverloaded && error.retryAfterSeconds >= 1) return 'overloaded'
    throw error
  }
}

function tally(outcomes: readonly Outcome[]): Record<Outcome, number> {
  const count = (wanted: Outcome) => outcomes.filter((one) => one === wanted).length
  return { in: count('in'), refused: count('refused'), waits: count('waits'), overloaded: count('overloaded') }
}

/** Fails so often that the network has to wait for this account. */
async function failTenTimes(users: Users, email: string, network = here): Promise<void> {
  for (let n = 0; n < 10; n++) await users.verify(email, `wrong password ${n}`, network)
}

t.test('a user gets in with the password and nothing else, and the password is nowhere in the data folder', async (t) => {
  const directory = t.testdir()
  const { users, database } = await open(t, directory)
  const added = await users.add('me@example.com', password)
  const user = await users.verify('me@example.com', password, here)
  t.equal(user?.getId(), added.getId())
  t.equal(user?.email, 'me@example.com')
  for (const wrong of ['', `${password} `, ` ${password}`, password.toUpperCase(), password.slice(0, -1), `${password}\0`, `${password}\0more`]) {
    t.equal(await users.verify('me@example.com', wrong, elsewhere), null)
  }
  t.equal(await users.verify('me@example.com ', password, here) === null, false, 'spaces around an address are not part of it')
  t.notMatch(JSON.stringify(user), /argon2|passwordHash|emailKey|sessionEpoch/)
  await database.close()
  const files = readdirSync(directory)
  t.ok(files.includes('rowhouse.db'))
  for (const file of files) t.notMatch(readFileSync(join(directory, file)).toString('latin1'), password)
})

t.test('a password may have colons and any script, counts to 256 characters, and is the same composed or not', async (t) => {
  const { users } = await open(t, t.testdir())
  const faces = String.fromCodePoint(...Array.from({ length: 256 }, (_, n) => 0x1f300 + ((n * n * 7) % 251)))
  const long = Array.from({ length: 255 }, (_, n) => String.fromCodePoint(97 + ((n * n * 7 + n) % 26))).join('')
  const passwords = ['a:b::c:d:', 'пароль длинный', faces, `${long}y`, 'e\u0301tude number 3', ' spaces around ']
  for (const [n, one] of passwords.entries()) {
    await users.add(`u${n}@x.io`, one)
    t.ok(await users.verify(`u${n}@x.io`, one, here), one.slice(0, 20))
  }
  t.ok(await users.verify('u4@x.io', '\u00e9tude number 3', elsewhere), 'the composed form of the same text')
  t.equal(await users.verify('u3@x.io', `${long}z`, here), null, 'the last character counts')
  t.equal(await users.verify('u3@x.io', `${long}yy`, here), null, 'what follows the 256th is not cut off')
  t.equal(await hashesOf(() => users.verify('u3@x.io', 'x'.repeat(257), here)), 0, 'an impossible password costs no hash')
})

t.test('refusals of the service name one cause each and change nothing', async (t) => {
  const { users, table } = await open(t, t.testdir())
  await users.add('me@example.com', password)
  const refuses = (code: string, work: Promise<unknown>) => t.rejects(work, { name: /^(UserError|WeakPassword)$/, code })
  await refuses('email-taken', users.add('ME@example.com', password))
  for (const address of ['', 'me', '@example.com', 'me@', 'm e@example.com', 'me@example.com\n.x', 'me\0@example.com', 'me@ｅxample.com', `${'x'.repeat(250)}@x.io`]) {
    await refuses('not-an-email', users.add(address, password))
  }
  await refuses('weak-password', users.add('you@example.com', 'password123'))
  await refuses('weak-password', users.setPassword('me@example.com', 'short'))
  await refuses('no-such-user', users.setPassword('you@example.com', password))
  await refuses('no-such-user', users.setEnabled('you@example.com', false))
  await refuses('no-such-user', users.remove('not an address'))
  t.equal(await table.search().count(), 1)
  t.ok(await users.verify('me@example.com', password, here))
})

t.test('what HTTP Basic cannot carry, and what is longer than any address, is in no row, however it is written; a row from before can be removed', async (t) => {
  const { users, table, database } = await open(t, t.testdir())
  await users.add('me@example.com', password)
  const [row] = await table.search().all()
  const expected = { code: 'wrong-type', message: /^(row 1: )?users\.email: expected an e-mail address without spaces, colons, .* of at most 254 bytes, got another text$/ }
  const longest = `${'\u00e9'.repeat(121)}@example.org`
  t.equal(Buffer.byteLength(longest), 254)
  for (const email of ['a:b@example.com', ':@example.com', 'me@[IPv6:2001:db8::1]', `x${longest}`, 'x'.repeat(1_000_000), 'me\x7f@example.com', 'me\u0085@example.com', 'me\u200b@example.com']) {
    const about = encodeURIComponent(email.slice(0, 30))
    await t.rejects(users.add(email, password), { code: 'not-an-email', message: /without spaces, colons, control characters .* at most 254 bytes/ }, about)
    await t.rejects(table.addRow({ email }), expected, about)
    await t.rejects(table.addRows([{ email }]), expected, about)
    await t.rejects(table.upsert({ email: 'me@example.com' }, { email } as never), expected, about)
    await t.rejects(async () => row?.update({ email }), expected, about)
    await t.rejects(table.search({ email: 'me@example.com' }).update({ email }), expected, about)
    t.equal(await users.verify(email, password, here), null)
  }
  await t.rejects(users.add('half\ud83d@example.com', password), { code: 'not-an-email' })
  t.strictSame(await table.search().map(({ email }) => email), ['me@example.com'])
  await users.add(longest, password)
  t.ok(await users.verify(longest.toUpperCase(), password, here), 'the longest address there is')

  await database.write({ text: `UPDATE users SET email = 'a:b@example.com', emailKey = 'a:b@example.com' WHERE email = 'me@example.com'` }, [])
  await users.remove('A:B@example.com')
  t.equal(await table.search().count(), 1)
})

t.test('a text that is longer than any address or password is refused before anything else is done with it', async (t) => {
  const { users } = await open(t, t.testdir())
  await users.add('me@example.com', password)
  // To sort so many marks would take longer than this test may.
  const long = `e${'\u0323\u0301'.repeat(250_000)}`
  for (const email of [`${long}@example.com`, `me@example.com${' '.repeat(1_000_000)}${long}`]) {
    await t.rejects(users.add(email, password), { code: 'not-an-email' })
    await t.rejects(users.setEnabled(email, false), { code: 'no-such-user' })
    t.equal(await users.verify(email, password, here), null)
  }
  for (const [secret, told] of [[long, /at most 256 characters, got many more$/], [long.slice(0, 1000), /at most 256 characters, got 1000$/]] as const) {
    await t.rejects(users.add('you@example.com', secret), { code: 'weak-password', rule: 'too-long', message: told })
    await t.rejects(users.setPassword('me@example.com', secret), { code: 'weak-password', rule: 'too-long' })
    for (const email of ['me@example.com', 'nobody@example.com']) t.equal(await hashesOf(() => users.verify(email, secret, here)), 0, 'and costs no hash, whoever it is for')
  }
  const marked = Array.from({ length: 256 }, (_, n) => `${'αηω'.charAt((n * n) % 7 % 3)}\u0313\u0300\u0345`).join('')
  await users.setPassword('me@example.com', marked)
  t.ok(await users.verify('me@example.com', marked.normalize('NFC'), here), 'the longest way of typing 256 characters is no longer than that')
})

/** What stands at the top of lists of stolen passwords, as far as it has eight characters. */
const stolen = `12345678 123456789 1234567890 password password1 Password1 P@ssw0rd P@$$w0rd passw0rd qwertyuiop qwerty123 1q2w3e4r
  1q2w3e4r5t 1qaz2wsx zaq12wsx q1w2e3r4t5 a1b2c3d4 987654321 87654321 0987654321 00000000 11111111 12121212 123123123 12341234
  1234512345 11223344 1122334455 aabb1122 147258369 789456123 123654789 aaaaaaaa zzzzzzzz abcdefgh abcdefg123 abcd1234 Abcd@1234
  Aa123456 Aa@123456 Pass@123 Admin@123 admin123 admin1234 adminadmin Welcome1 Welcome@123 changeme iloveyou iloveyou1 sunshine
  princess football baseball superman trustno1 starwars computer asdfghjkl asdfasdf zxcvbnm123 poiuytrewq qwertyuiop[] 19871987
  20202020 10203040 hahahaha 69696969 1password passwordpassword drowssap summer2024 Summer2024! liverpool1 12345678a`

t.test('a password that is tried first is refused, wherever one is set: common ones, repeats, sequences, the address, the name of the app', { skip: takesLong('it tries more than a hundred passwords') }, async (t) => {
  const { users } = await open(t, t.testdir(), { name: 'Corner Shop' })
  const email = 'anna.smith@acme-tools.example'
  await users.add(email, password)
  const patterns = ['abababab', 'abcabcabc', 'zyxwvuts', '\u0430\u0431\u0432\u0433\u0434\u0435\u0436\u0437', 'lkjhgfdsa', '1qazxsw2', 'qpwoeiru', '1998199919981999', '(((((((((', '\uff50\uff41\uff53\uff53\uff57\uff4f\uff52\uff44', 'p\u00e1ssword12']
  const own = [email, 'ANNA.SMITH', 'annasmith83', 'Smith1983!!', 'acme-tools', 'acmetools2938', '4711anna.smith@acme-tools.example', 'cornershop', 'Corner Shop 77', '20xxcornershop']
  for (const secret of [...stolen.split(/\s+/), ...patterns, ...own]) {
    const expected = { name: 'WeakPassword', code: 'weak-password', rule: /^(too-common|too-simple|is-the-email|is-the-app)$/, message: /choose another, such as a few words/ }
    await t.rejects(users.setPassword(email, secret), expected, secret)
    if (!own.includes(secret) || secret.toLowerCase().includes('corner')) await t.rejects(users.add('you@example.com', secret), expected, secret)
    if (secret !== 'password') t.notMatch(await users.setPassword(email, secret).catch(String), secret)
  }
  await t.rejects(users.setPassword(email, 'Corner Shop 77'), { name: 'WeakPassword', rule: 'is-the-app' })
  await t.rejects(users.setPassword(email, 'annasmith83'), { name: 'WeakPassword', rule: 'is-the-email' })
  const good = ['my password', 'correct horse', 'Tr0ub4dor&3', 'kwxqpzrt', 'x7#kQx7#kQ', 'shopping in the corner', 'smithereens of an anvil', 'acme rockets 44', 'aaaa is no battery staple', '1234 wild horses']
  for (const secret of good) {
    await users.setPassword(email, secret)
    t.ok(await users.verify(email, secret, here), secret)
  }
})

t.test('of ten additions of the same address at once, one adds a user', async (t) => {
  const { users, table } = await open(t, t.testdir())
  const results = await Promise.allSettled(Array.from({ length: 10 }, () => users.add('me@example.com', password)))
  t.equal(results.filter(({ status }) => status === 'fulfilled').length, 1)
  for (const result of results) if (result.status === 'rejected') t.match(result.reason, { code: 'email-taken' })
  t.equal(await table.search().count(), 1)
})

t.test('letter case and composition make no other account, and look-alikes never reach one', async (t) => {
  const { users } = await open(t, t.testdir())
  await users.add('Kim.Strasse@Example.com', password)
  await users.add('zoe\u0308@example.com', password)
  for (const same of ['kim.strasse@example.com', 'KIM.STRASSE@EXAMPLE.COM', 'zo\u00eb@example.com']) t.ok(await users.verify(same, password, here), same)
  const others = ['K\u0131m.strasse@example.com', '\u212aim.strasse@example.com', 'kim.stra\u00dfe@example.com', '\uff4bim.strasse@example.com', 'zoe@example.com']
  for (const other of others) t.equal(await users.verify(other, password, here), null, other)
})

t.test('an unknown address, a disabled user and one without a password cost the same hashes and waits as a wrong password', { skip: hashesOften }, async (t) => {
  const { users, table } = await open(t, t.testdir(), { now: () => newYear })
  await users.add('known@x.io', password)
  await users.add('disabled@x.io', password)
  await users.setEnabled('disabled@x.io', false)
  await table.addRow({ email: 'invited@x.io' })
  const attempts = async (email: string, right: string): Promise<unknown[]> => {
    const seen: unknown[] = []
    for (let n = 0; n < 12; n++) {
      const before = hashes
      const result = await outcome(users.verify(email, n === 5 ? right : `wrong password ${n}`, here))
      seen.push([result, hashes - before])
    }
    return seen
  }
  const expected = [...Array.from({ length: 10 }, () => ['refused', 1]), ['waits', 0], ['waits', 0]]
  t.strictSame(await attempts('known@x.io', 'also wrong'), expected)
  t.strictSame(await attempts('unknown@x.io', password), expected)
  t.strictSame(await attempts('disabled@x.io', password), expected)
  t.strictSame(await attempts('invited@x.io', password), expected)
})

t.test('whoever is unknown, disabled, or has a hash of another cost than new ones have, costs the same work to refuse', { skip: hashesOften }, async (t) => {
  const directory = t.testdir()
  const cheap = await open(t, directory)
  const dear = await open(t, directory, { hashing: { iterations: 12 } })
  for (const email of ['old@x.io', 'disabled@x.io']) await cheap.users.add(email, password)
  await dear.users.add('new@x.io', password)
  await cheap.users.setEnabled('disabled@x.io', false)
  /** What ten attempts take of the processor, which says the same on a machine that is busy with other things. */
  const cost = async (users: Users, email: string, secret?: string): Promise<number> => {
    const before = process.cpuUsage()
    for (let n = 0; n < 5; n++) t.equal(await users.verify(email, secret ?? `wrong password ${n}`, `192.0.2.${n}`), null)
    const { user, system } = process.cpuUsage(before)
    return user + system
  }
  for (const { users } of [dear, await open(t, directory)]) {
    // The first attempt tells a process of less cost that there are dearer hashes.
    await users.verify('new@x.io', 'wrong password', '192.0.2.99')
    const expected = await cost(users, 'unknown@x.io')
    for (const [email, secret] of [['old@x.io'], ['new@x.io'], ['disabled@x.io', password], ['disabled@x.io'], ['unknown@x.io', password]] as const) {
      const share = (await cost(users, email, secret)) / expected
      t.ok(share > 0.5 && share < 2, `${email} costs ${share.toFixed(2)} of what an unknown address does`)
    }
  }
  t.ok(await dear.users.verify('old@x.io', password, elsewhere))
  t.match((await dear.table.get({ email: 'old@x.io' }))?.passwordHash, /t=12/, 'whose hash is renewed')
})

t.test('of 200 attempts at once on one account from one network, ten at most are hashed, and the owner gets in from elsewhere meanwhile', { skip: takesLong('it tries hundreds of passwords') }, async (t) => {
  const { users } = await open(t, t.testdir(), { now: () => newYear })
  await users.add('me@example.com', password)
  for (const email of ['me@example.com', 'nobody@example.com']) {
    const before = hashes
    const flood = Promise.all(Array.from({ length: 200 }, (_, n) => outcome(users.verify(email, `wrong password ${n}`, here))))
    const owner = outcome(users.verify('me@example.com', `${password}`, email === 'me@example.com' ? elsewhere : '203.0.113.9'))
    const counts = tally(await flood)
    t.equal(await owner, 'in')
    t.equal(counts.in, 0)
    t.equal(counts.refused, 10)
    t.equal(counts.refused + counts.waits + counts.overloaded, 200)
    t.equal(hashes - before, email === 'me@example.com' ? 11 : 10, 'of which one was the owner’s, who is remembered afterwards')
  }
  t.equal(await outcome(users.verify('me@example.com', password, here)), 'in', 'whoever has been verified goes on working in the waiting network too')
  t.equal(await outcome(users.verify('me@example.com', 'another password', here)), 'waits')
})

t.test('a flood over many accounts is refused once 32 wait, and keeps nobody in another network out', { skip: takesLong('it tries hundreds of passwords') }, async (t) => {
  const { users } = await open(t, t.testdir())
  await users.add('me@example.com', password)
  const flood = Promise.all(Array.from({ length: 200 }, (_, n) => outcome(users.verify(`u${n}@example.com`, 'wrong password', `2001:db8:1:2::${n}`))))
  const owner = outcome(users.verify('me@example.com', password, elsewhere))
  const counts = tally(await flood)
  t.equal(await owner, 'in')
  t.ok(counts.overloaded >= 200 - 32 - 8, `${counts.overloaded} refused at once`)
  t.equal(counts.waits, 0)
})

t.test('of 10,000 guesses on one account from one network, at most 20 reach the hash in ten minutes, and the owner gets in from elsewhere meanwhile', { skip: takesLong('it tries thousands of passwords') }, async (t) => {
  let now = newYear
  const { users } = await open(t, t.testdir(), { now: () => now })
  await users.add('me@example.com', password)
  const before = hashes
  const counts = { in: 0, refused: 0, waits: 0, overloaded: 0 }
  for (let n = 0; n < 10_000; n++) {
    counts[await outcome(users.verify('me@example.com', `wrong password ${n}`, here))]++
    if (n === 5000) t.equal(await outcome(users.verify('me@example.com', password, elsewhere)), 'in')
    now += (10 * 60_000) / 10_000
  }
  t.ok(hashes - before <= 20, `${hashes - before} hashes, one of which was the owner’s`)
  t.equal(counts.in, 0)
  t.equal(counts.overloaded, 0)
  t.equal(counts.refused, hashes - before - 1)
})

t.test('sixty networks, or sixty /64s of one household, that try without end keep no newcomer out', { skip: takesLong('it tries hundreds of passwords') }, async (t) => {
  const { users } = await open(t, t.testdir())
  const owners = Array.from({ length: 4 }, (_, n) => `owner${n}@example.com`)
  for (const [attack, addressOf] of [['networks', (n: number) => `198.51.100.${n}`], ['household', (n: number) => `2001:db8:1:${n + 10}::1`]] as const) {
    for (const owner of owners) await users.add(`${attack}-${owner}`, password)
    let attempts = 0
    let isOver = false
    const hammer = async (n: number): Promise<void> => {
      while (!isOver) {
        await outcome(users.verify(`u${attempts++}@example.com`, 'wrong password', addressOf(n)))
        await pause(5)
      }
    }
    const flood = Promise.all(Array.from({ length: 60 }, (_, n) => hammer(n)))
    while (attempts < 500) await pause(10)
    for (const [n, owner] of owners.entries()) t.equal(await outcome(users.verify(`${attack}-${owner}`, password, `203.0.113.${n}`)), 'in', `${owner} beside many ${attack}`)
    isOver = true
    await flood
  }
})

t.test('failures on one account are counted for the /64, the /56 and the /48 of an IPv6 address together', { skip: hashesOften }, async (t) => {
  const { users } = await open(t, t.testdir(), { now: () => newYear })
  await users.add('me@example.com', password)
  let n = 0
  /** Fails from networks that are new each time, until one has to wait. */
  const failures = async (networkOf: (n: number) => string): Promise<number> => {
    for (let failed = 0; ; failed++) {
      const result = await outcome(users.verify('me@example.com', `wrong password ${n}`, networkOf(n++)))
      if (result !== 'refused') return failed
    }
  }
  t.equal(await failures(() => '2001:db8:1:100::1'), 10, 'the /64')
  t.equal(await failures((each) => `2001:db8:1:${(0x100 + (each % 100) + 1).toString(16)}::1`), 20, 'the /56 around it')
  t.equal(await failures((each) => `2001:db8:1:${(0x200 + 0x100 * each).toString(16)}::1`), 70, 'the /48 around that')
  t.equal(await outcome(users.verify('me@example.com', password, '2001:db8:1:ffff::1')), 'waits')
  t.equal(await outcome(users.verify('you@example.com', password, '2001:db8:1:ffff::1')), 'refused', 'other accounts do not wait')
  t.equal(await outcome(users.verify('me@example.com', password, '2001:db8:2:100::1')), 'in', 'nor does the owner, elsewhere')
})

t.test('identical right attempts at once share one hash, count as no failure, and each caller gets a row of his own', async (t) => {
  const { users } = await open(t, t.testdir())
  await users.add('me@example.com', password)
  const before = hashes
  const rows = await Promise.all(Array.from({ length: 64 }, () => users.verify('me@example.com', password, here)))
  t.equal(hashes - before, 1)
  t.equal(new Set(rows).size, 64)
  t.notOk(rows.includes(null))
})

t.test('a changed password, a disabled and a deleted user are refused on the very next request, in another process too', { skip: takesLong('it makes and checks some twenty hashes') }, async (t) => {
  const directory = t.testdir()
  const { users } = await open(t, directory)
  const other = await open(t, directory)
  for (const [changer, email] of [[users, 'a@x.io'], [other.users, 'b@x.io']] as const) {
    await users.add(email, password)
    t.ok(await users.verify(email, password, here))
    await changer.setPassword(email, 'another password')
    t.equal(await users.verify(email, password, here), null, 'the old password')
    t.ok(await users.verify(email, 'another password', here), 'the new password')
    await changer.setEnabled(email, false)
    t.equal(await users.verify(email, 'another password', here), null, 'disabled')
    await changer.setEnabled(email, true)
    t.equal(await hashesOf(() => users.verify(email, 'another password', here)), 1, 'enabled again: nothing from before counts')
    t.ok(await users.verify(email, 'another password', here))
    await changer.remove(email)
    t.equal(await users.verify(email, 'another password', here), null, 'deleted')
    await changer.add(email, 'a third password')
    t.equal(await users.verify(email, 'another password', here), null, 'another user with the same address')
  }
})

t.test('a verified caller costs no hash and no write until the credentials change', async (t) => {
  const { users, table } = await open(t, t.testdir())
  await users.add('me@example.com', password)
  t.equal((await table.get({ email: 'me@example.com' }))?.lastLogin, null)
  const first = await users.verify('me@example.com', password, here)
  t.ok(first?.lastLogin instanceof Date)
  t.equal(await hashesOf(() => Promise.all(Array.from({ length: 100 }, () => users.verify('me@example.com', password, elsewhere)))), 0)
  t.strictSame((await table.get({ email: 'me@example.com' }))?.lastLogin, first?.lastLogin)
  t.equal(await hashesOf(() => users.verify('me@example.com', 'wrong password', here)), 1, 'a failure is never remembered')
  t.equal(await hashesOf(() => users.verify('me@example.com', 'wrong password', here)), 1)
})

t.test('the wait doubles with each further failure up to 15 minutes, ends by itself, and is forgotten 15 minutes later', { skip: hashesOften }, async (t) => {
  let now = newYear
  const { users } = await open(t, t.testdir(), { now: () => now })
  await users.add('me@example.com', password)
  await failTenTimes(users, 'me@example.com')
  for (const seconds of [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900]) {
    await t.rejects(users.verify('me@example.com', password, here), { name: 'TooManyFailures', retryAfterSeconds: seconds })
    now += seconds * 1000 - 1
    await t.rejects(users.verify('me@example.com', password, here), { name: 'TooManyFailures', retryAfterSeconds: 1 })
    now += 1
    t.equal(await users.verify('me@example.com', 'wrong password', here), null, `an attempt after ${seconds} s`)
  }
  now += 30 * minute - 1
  t.equal(await outcome(users.verify('me@example.com', 'wrong password', here)), 'refused')
  t.equal(await outcome(users.verify('me@example.com', 'wrong password', here)), 'waits', 'remembered until then')
  now += 30 * minute
  await failTenTimes(users, 'me@example.com')
  await t.rejects(users.verify('me@example.com', password, here), { name: 'TooManyFailures', retryAfterSeconds: 1 }, 'counted from the beginning')
})

t.test('a restart keeps the count', async (t) => {
  const directory = t.testdir()
  const first = await open(t, directory, { now: () => newYear })
  await first.users.add('me@example.com', password)
  for (let n = 0; n < 9; n++) await first.users.verify('me@example.com', `wrong password ${n}`, here)
  await first.database.close()
  const second = await open(t, directory, { now: () => newYear })
  t.equal(await outcome(second.users.verify('me@example.com', 'wrong password', here)), 'refused')
  t.equal(await outcome(second.users.verify('me@example.com', password, here)), 'waits')
  t.equal(await outcome(second.users.verify('me@example.com', password, elsewhere)), 'in')
})

t.test('the right password forgets the failures of its network, and of no other', { skip: hashesOften }, async (t) => {
  const { users } = await open(t, t.testdir(), { now: () => newYear })
  await users.add('me@example.com', password)
  for (let round = 0; round < 3; round++) {
    for (let n = 0; n < 9; n++) await users.verify('me@example.com', `wrong password ${n}`, here)
    await users.setPassword('me@example.com', `${password} ${round}`)
    t.ok(await users.verify('me@example.com', `${password} ${round}`, here))
  }
  await failTenTimes(users, 'me@example.com', elsewhere)
  t.ok(await users.verify('me@example.com', `${password} 2`, here))
  t.equal(await outcome(users.verify('me@example.com', 'wrong password', elsewhere)), 'waits')
})

t.test('a clock that was set back locks nobody out', async (t) => {
  let now = newYear
  const { users } = await open(t, t.testdir(), { now: () => now })
  await users.add('me@example.com', password)
  await failTenTimes(users, 'me@example.com')
  now -= 24 * 60 * minute
  t.equal(await outcome(users.verify('me@example.com', password, here)), 'in')
})

t.test('forgotten counts are cleared away a few at a time, so that a flood leaves no growing table behind', { skip: hashesOften }, async (t) => {
  let now = newYear
  const { users, database } = await open(t, t.testdir(), { now: () => now })
  const counted = async () => Number((await database.read({ text: 'SELECT count(*) FROM rowhouse_login_failures' }, []))[0]?.[0])
  for (let n = 0; n < 20; n++) await users.verify(`u${n}@x.io`, 'wrong password', here)
  t.equal(await counted(), 20)
  const [row] = await database.read({ text: 'SELECT account FROM rowhouse_login_failures' }, [])
  t.notMatch(row?.[0], /@/, 'addresses are not kept')
  now += 31 * minute
  await users.verify('v0@x.io', 'wrong password', here)
  t.equal(await counted(), 17)
  for (let n = 1; n < 5; n++) await users.verify(`v${n}@x.io`, 'wrong password', here)
  t.equal(await counted(), 5)
})

t.test('a hash made at a lower cost is renewed at the next login, and not once the password has been changed', async (t) => {
  const directory = t.testdir()
  const { users, table } = await open(t, directory)
  await users.add('me@example.com', password)
  const dearer = await open(t, directory, { hashing: { iterations: 3 } })
  t.equal(await hashesOf(() => dearer.users.verify('me@example.com', password, here)), 2)
  t.match((await table.get({ email: 'me@example.com' }))?.passwordHash, /t=3/)
  t.equal(await hashesOf(() => dearer.users.verify('me@example.com', password, here)), 0, 'and the caller is remembered')
  t.ok(await users.verify('me@example.com', password, here))
  t.match((await table.get({ email: 'me@example.com' }))?.passwordHash, /t=3/, 'a process that asks for less does not take it back')

  await users.setPassword('me@example.com', 'old password')
  const login = dearer.users.verify('me@example.com', 'old password', here)
  await users.setPassword('me@example.com', 'new password')
  await login
  t.ok(await users.verify('me@example.com', 'new password', elsewhere), 'a login under way does not put the old password back')
  t.equal(await users.verify('me@example.com', 'old password', elsewhere), null)
})

t.test('all users are listed in the order in which they were added', async (t) => {
  const { users } = await open(t, t.testdir())
  for (const email of ['c@x.io', 'a@x.io', 'b@x.io']) await users.add(email, password)
  const emails: string[] = []
  for await (const user of users.list()) emails.push(user.email)
  t.strictSame(emails, ['c@x.io', 'a@x.io', 'b@x.io'])
})
