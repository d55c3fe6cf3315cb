// Strangers who try: what they may send and hold before a login, what they can learn, and what a run prints.

import t from '../../protocol/testing/tap.ts'
import { apiVersions } from '../../protocol/api/18_api_versions.ts'
import { describeConfigs } from '../../protocol/api/32_describe_configs.ts'
import { metadata } from '../../protocol/api/03_metadata.ts'
import { saslHandshake } from '../../protocol/api/17_sasl_handshake.ts'
import { ScramClient, scramKeys, scramMechanisms } from '../../protocol/sasl/scram.ts'
import type { RawClient } from '../testing/raw-client.ts'
import {
  addUser,
  logInByPlain,
  logInByScram,
  SASL,
  saslProperties,
  say,
  shakeHands,
} from '../testing/sasl.ts'
import { VirtualClock } from '../testing/virtual-clock.ts'
import { World } from '../testing/world.ts'
import { Decoys } from './decoys.ts'
import { PasswordChecks } from './password-checks.ts'
import { Plain } from './plain.ts'

const HALF_OPEN = 1_000
const MIB = 1024 * 1024
const NOBODY = { topics: [] }
const BROKER = 4
const nobody = { revision: 0, list: () => [] }
const here = new AbortController().signal

function sizeOf(byteCount: number): Buffer {
  const size = Buffer.alloc(4)
  size.writeInt32BE(byteCount)
  return size
}

t.test('a frame before the login is as large as a login needs, after it as any', async (t) => {
  const world = await World.open(t, { config: saslProperties })
  await addUser(world.local, 'ann', 'secret')
  for (const byteCount of [524_289, 100 * MIB, -1]) {
    const client = await world.connect(SASL)
    client.socket.write(sizeOf(byteCount))
    await client.closed
    t.match(world.logged.at(-1), { reason: /a frame of/ }, `${byteCount}`)
  }
  const client = await world.connect(SASL)
  await logInByPlain(client, 'ann', 'secret')
  const topics = Array.from({ length: 5_000 }, (_, i) => ({ name: `${i}`.padEnd(150, 'x') }))
  const request = { topics, allowAutoTopicCreation: false }
  t.equal((await client.send(metadata, request)).topics.length, 5_000)
})

t.test('no API but those of the login is performed for a stranger', async (t) => {
  const world = await World.open(t, { config: saslProperties })
  const software = { clientSoftwareName: 'raw', clientSoftwareVersion: '1' }
  const { apiKeys } = await (await world.connect()).send(apiVersions, software)
  for (const { apiKey } of apiKeys) {
    if (apiKey === apiVersions.key || apiKey === saslHandshake.key) continue
    const client = await world.connect(SASL)
    const header = Buffer.from([apiKey >> 8, apiKey & 0xff, 0, 0, 0, 0, 0, 1, 0xff, 0xff])
    client.socket.write(Buffer.concat([sizeOf(header.length), header]))
    await client.closed
    t.equal(client.frameCount, 0, `API ${apiKey}`)
  }
})

t.test(
  'a thousand strangers with half a frame each hold little, and for ten seconds',
  async (t) => {
    const clock = new VirtualClock()
    const bytesMax = 16 * MIB
    const config = { ...saslProperties, 'queued.max.request.bytes': bytesMax }
    const world = await World.open(t, { config, clock })
    await addUser(world.local, 'ann', 'secret')
    const honest = await world.connect(SASL)
    await logInByPlain(honest, 'ann', 'secret')
    let openCount = 0
    const strangers: RawClient[] = []
    for (let i = 0; i < HALF_OPEN; i++) {
      const client = await world.connect(SASL)
      client.socket.write(Buffer.concat([sizeOf(500_000), Buffer.alloc(100)]))
      openCount++
      void client.closed.then(() => openCount--)
      strangers.push(client)
    }
    t.equal((await honest.send(metadata, NOBODY)).brokers.length, 1, 'a client goes on')
    await new Promise((resolve) => setTimeout(resolve, 100))
    t.ok(openCount <= bytesMax / 8 / (64 * 1024), `${openCount} hold an eighth`)
    t.match(world.logged.at(-1), { reason: 'too many clients are about to log in' })
    t.ok(openCount > 0)
    await clock.advance(12_000)
    await Promise.all(strangers.map(({ closed }) => closed))
    t.equal(openCount, 0)
    t.equal((await honest.send(metadata, NOBODY)).brokers.length, 1)
    const late = await world.connect(SASL)
    t.match(
      await logInByPlain(late, 'ann', 'secret'),
      { error: undefined },
      'what they held is free',
    )
  },
)

t.test('PLAIN costs the same work for every user', async (t) => {
  const work: string[] = []
  const checks = new PasswordChecks((mechanism, password, { iterations, salt }) => {
    work.push(`${mechanism} ${iterations}`)
    return scramKeys(mechanism, password, { iterations, salt })
  })
  const kept = { salt: Buffer.from('salt'), iterations: 4096 }
  const credential = { ...kept, ...(await scramKeys('SCRAM-SHA-256', 'secret', kept)) }
  const plain = new Plain({
    checks,
    decoys: new Decoys(Buffer.alloc(32), nobody),
    users: Promise.resolve({ find: () => undefined }),
    credentials: {
      find: (mechanism, user) =>
        mechanism === 'SCRAM-SHA-256' && user === 'ann' ? credential : undefined,
    },
  })
  for (const user of ['ann', 'nobody', ''.padEnd(1000, 'x')]) {
    const refusal: unknown = await plain
      .converse(Buffer.from(`\0${user}\0wrong`), here)
      .next()
      .catch((error: unknown) => error)
    t.match(refusal, { told: 'Authentication failed: Invalid username or password' })
  }
  t.strictSame(work, ['SCRAM-SHA-256 4096', 'SCRAM-SHA-256 4096', 'SCRAM-SHA-256 4096'])
})

t.test('few passwords are checked at a time, and none for a client that has gone', async (t) => {
  let runningCount = 0
  let runningMax = 0
  let count = 0
  const checks = new PasswordChecks(async () => {
    count++
    runningMax = Math.max(runningMax, ++runningCount)
    await new Promise(setImmediate)
    runningCount--
    return { clientKey: Buffer.alloc(32), storedKey: Buffer.alloc(32), serverKey: Buffer.alloc(32) }
  })
  const credential = new Decoys(Buffer.alloc(32), nobody).find('SCRAM-SHA-256', 'x')
  const gone = new AbortController()
  const check = (signal: AbortSignal) => checks.isRight('SCRAM-SHA-256', 'x', credential, signal)
  const running = Array.from({ length: 10 }, (_, i) => check(i < 5 ? here : gone.signal))
  gone.abort()
  t.strictSame(
    await Promise.all(running),
    Array.from({ length: 10 }, () => false),
  )
  t.equal(runningMax, 2)
  t.equal(count, 5)
})

t.test('a check that comes as another one ends waits behind those that wait already', async (t) => {
  let runningCount = 0
  let runningMax = 0
  const ends: (() => void)[] = []
  const checks = new PasswordChecks(async () => {
    runningMax = Math.max(runningMax, ++runningCount)
    await new Promise<void>((resolve) => ends.push(resolve))
    runningCount--
    return { clientKey: Buffer.alloc(32), storedKey: Buffer.alloc(32), serverKey: Buffer.alloc(32) }
  })
  const credential = new Decoys(Buffer.alloc(32), nobody).find('SCRAM-SHA-256', 'x')
  const check = () => checks.isRight('SCRAM-SHA-256', 'x', credential, here)
  const running = Array.from({ length: 4 }, check)
  while (ends.length > 0) {
    ends.shift()!()
    for (let i = 0; i < 6; i++) {
      if (running.length < 20) running.push(check()) // in each microtask on the way to the end
      await Promise.resolve()
    }
  }
  await Promise.all(running)
  t.equal(runningMax, 2)
})

t.test('the messages of a login are of no use again', async (t) => {
  const world = await World.open(t, { config: saslProperties })
  await addUser(world.local, 'ann', 'secret')
  const scram = new ScramClient('SCRAM-SHA-256', 'ann', 'nonce')
  const client = await world.connect(SASL)
  await shakeHands(client, 'SCRAM-SHA-256')
  const { told } = await say(client, scram.first())
  const final = await scram.final(told, (first) => scramKeys('SCRAM-SHA-256', 'secret', first))
  t.match(await say(client, final), { error: undefined })
  const thief = await world.connect(SASL)
  await shakeHands(thief, 'SCRAM-SHA-256')
  await say(thief, scram.first())
  t.match(await say(thief, final), { error: 'SASL_AUTHENTICATION_FAILED' })
  const other = await world.connect(SASL)
  await shakeHands(other, 'SCRAM-SHA-512')
  await say(other, scram.first())
  t.match(await say(other, final), { error: 'SASL_AUTHENTICATION_FAILED' }, 'nor by another hash')
})

t.test('nothing that a run prints or answers has a secret', async (t) => {
  const secrets = ['s3cret-of-ann', 's3cret-of-bob', 's3cret-in-vain']
  const line = `org.apache.kafka.common.security.plain.PlainLoginModule required user_bob="${secrets[1]}";`
  const own = 'listener.name.sasl_plaintext.plain.sasl.jaas.config'
  const config = { ...saslProperties, 'http.port': 0, [own]: line, 'sasl.jaas.config': line }
  const world = await World.open(t, { config })
  await addUser(world.local, 'ann', secrets[0]!)
  const told: unknown[] = []
  for (const user of ['ann', 'bob', 's3cret-in-vain', '']) {
    for (const password of [...secrets, '']) {
      told.push(await logInByPlain(await world.connect(SASL), user, password))
      for (const mechanism of scramMechanisms)
        if (user !== '')
          told.push(await logInByScram(await world.connect(SASL), mechanism, user, password))
    }
  }
  const admin = await world.connect()
  const names = [null, ['sasl.jaas.config', own]]
  for (const configurationKeys of names) {
    const resources = [{ resourceType: BROKER, resourceName: '1', configurationKeys }]
    const request = { resources, includeSynonyms: true, includeDocumentation: true }
    const { results } = await admin.send(describeConfigs, request)
    t.ok(results[0]!.configs.length > 0)
    told.push(results)
  }
  const page = await (await fetch(`${world.broker.httpUrl}/metrics`)).text()
  t.match(page, /millrace_authentications_total\{listener="SASL_PLAINTEXT",mechanism="PLAIN"\} 2/)
  t.match(page, /millrace_authentication_failures_total\{[^}]*mechanism="SCRAM-SHA-512"\} \d/)
  const failures = world.logged.filter(({ message }) => message === 'authentication failed')
  t.ok(failures.length > 0)
  const everything = JSON.stringify([told, world.logged]) + page
  t.match(everything, /"user":"ann"/, 'a user that exists is named')
  for (const secret of secrets) t.notOk(everything.includes(secret))
})
