// The verbs of users: passwords from every source, and none on a command line.

import { writeFileSync } from 'node:fs'
import t from '../../../protocol/testing/tap.ts'
import { scramKeys } from '../../../protocol/sasl/scram.ts'
import { systemClock } from '../../../storage/clock.ts'
import { openStore } from '../../../storage/open-store.ts'
import { Terminal } from '../testing/terminal.ts'

const terminal = await Terminal.open()
t.teardown(() => terminal[Symbol.asyncDispose]())

t.test('users are added, listed, changed and removed', async (t) => {
  writeFileSync(terminal.path('secret'), 'from a file\n')
  const file = terminal.path('secret')
  const { stdout, stderr, statuses } = await terminal.run(`
    user ls
    user add ann --generate
    user add bob --new-password-file ${file} --mechanism scram-sha-512 --iterations 8192 --json
    user add bob --generate
    user passwd bob --generate --json
    user passwd carl --generate
    user ls
    user ls --json
    user rm ann bob --dry-run
    user rm ann
    user rm nobody --yes
    user rm bob --mechanism scram-sha-256 --yes
    user rm ann bob --yes -q
    user ls`)
  t.match(stderr, /no users: millrace user add NAME/)
  t.match(stderr, /ann can log in by scram-sha-256 and scram-sha-512\n.*nobody can show again/)
  t.match(stdout, /^[a-zA-Z2-9]{24}\n\{"user":"bob","mechanisms":\["scram-sha-512"\]\}\n/)
  t.match(stdout, /\{"user":"bob","mechanisms":\["scram-sha-512"\],"password":"[a-zA-Z2-9]{24}"\}/)
  t.match(stderr, /bob exists: to change its password, millrace user passwd/)
  t.match(stderr, /there is no user carl; millrace user ls lists them/)
  const lines = stdout.split('\n').map((line) => line.replaceAll(/ +/g, ' '))
  t.ok(lines.includes('ann scram-sha-256 4,096'), 'ls')
  t.ok(lines.includes('{"user":"bob","mechanism":"scram-sha-512","iterations":4096}'), 'ls --json')
  t.match(stderr, /dry run: nothing was changed/)
  t.match(stderr, /say --yes/)
  t.match(stderr, /RESOURCE_NOT_FOUND: bob: the user has no credential of SCRAM-SHA-256/)
  t.strictSame(statuses, [0, 0, 0, 1, 0, 3, 0, 0, 0, 2, 3, 3, 0, 0])
})

t.test('a password has no flag, and without a terminal somebody must say it', async (t) => {
  const { stderr, statuses } = await terminal.run(`
    user add eve
    user add eve --password secret
    user add eve --generate --new-password-file x
    user add eve --new-password-file ${terminal.path('nowhere')}
    user add eve --generate --iterations 1
    user add eve --generate --iterations 99999
    user add eve --generate --mechanism plain`)
  t.match(stderr, /no new password for eve: say --generate or --new-password-file FILE, or set/)
  t.match(stderr, /--password' ?\(?a? ?.*is no argument/)
  t.match(stderr, /cannot be used with option '--new-password-file/)
  t.match(stderr, /nowhere cannot be read/)
  t.match(stderr, /Expected a whole number from 4096 to 16384/)
  t.match(stderr, /Allowed choices are scram-sha-256, scram-sha-512/)
  t.strictSame(statuses, [2, 2, 2, 2, 2, 2, 2])
})

t.test('the environment can say the new password, to a broker and to its directory', async (t) => {
  const dataDir = terminal.path('data')
  const { stdout, stderr, status } = await terminal.bash(`
    export MILLRACE_NEW_PASSWORD=sesame
    M user add ann && M user ls --json
    M user add root --data ${dataDir} --mechanism scram-sha-512
    M user add root --data ${dataDir}; echo $?
    M user passwd root --data ${dataDir} --iterations 5000
    M user passwd nobody --data ${dataDir}; echo $?
    MILLRACE_NEW_PASSWORD= M user add bob`)
  t.match(stdout, /"user":"ann","mechanism":"scram-sha-256"/)
  t.match(stdout, /^1$/m, 'it exists')
  t.match(stdout, /^3$/m, 'not found')
  t.match(stderr, /the new password of bob is empty/)
  t.equal(status, 2)
  await using store = await openStore({ dataDir, writer: 'inline', clock: systemClock })
  t.equal(store.scramCredentials.find('SCRAM-SHA-256', 'root'), undefined)
  const kept = store.scramCredentials.find('SCRAM-SHA-512', 'root')!
  const { storedKey, serverKey } = await scramKeys('SCRAM-SHA-512', 'sesame', kept)
  t.match(kept, { storedKey, serverKey, iterations: 5000 })
  const inUse = await terminal.run(`user add other --data ${dataDir} --generate`)
  t.match(inUse.stderr, /in use/)
  t.strictSame(inUse.statuses, [1])
})
