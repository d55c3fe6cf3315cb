// Strangers before TLS and in it: a login that is not encrypted, floods of handshakes and slow ones, and the secrets of a run
// with TLS, passwords and ACLs in everything that it prints. Before the login, after TLS: broker/sasl/attacks.test.ts

import { once } from 'node:events'
import { cpSync } from 'node:fs'
import { join } from 'node:path'
import { connect as connectPlain, type Socket } from 'node:net'
import { connect } from 'node:tls'
import t, { type Test } from '../../protocol/testing/tap.ts'
import { metadata } from '../../protocol/api/03_metadata.ts'
import { describeConfigs } from '../../protocol/api/32_describe_configs.ts'
import { describeUserScramCredentials } from '../../protocol/api/50_describe_user_scram_credentials.ts'
import { saltedPassword, scramMechanisms } from '../../protocol/sasl/scram.ts'
import { systemClock } from '../../storage/clock.ts'
import { verifyDirectory } from '../../storage/verify/verify.ts'
import { STANDARD_AUTHORIZER } from '../auth/configs.ts'
import { RawClient } from '../testing/raw-client.ts'
import { addUser, logInByPlain, logInByScram, shakeHands } from '../testing/sasl.ts'
import { settle, VirtualClock } from '../testing/virtual-clock.ts'
import { World } from '../testing/world.ts'
import { authority, local, StoreDirectory } from '../tls/testing/certified.ts'

const NOBODY = { topics: [] }
const ATTEMPTS = 2_000
const RATE = 10
const BURST = 5 * RATE

const listeners = 'PLAINTEXT://127.0.0.1:0,SASL_SSL://127.0.0.1:0'

async function openWorld(
  t: Test,
  config: Record<string, string | number> = {},
  clock?: VirtualClock,
) {
  const own = new StoreDirectory(t).properties()
  const sasl = { 'sasl.enabled.mechanisms': 'PLAIN,SCRAM-SHA-256,SCRAM-SHA-512' }
  const all = { listeners, 'http.port': 0, ...own, ...sasl, ...config }
  const world = await World.open(t, { config: all, ...(clock && { clock }) })
  const port = Number(world.broker.listeners['SASL_SSL']!.split(':')[1])
  return { world, port }
}

/** The first bytes of a TLS hello. */
const HELLO = Buffer.from('16030102000100', 'hex')

function dialPlain(port: number): Socket {
  return connectPlain(port, '127.0.0.1').on('error', () => {})
}

/** Whether with an error or without. */
function closing(socket: Socket): Promise<void> {
  return new Promise((resolve) => socket.once('close', () => resolve()))
}

async function overTls(port: number): Promise<RawClient> {
  const socket = connect({ host: '127.0.0.1', port, ca: authority.cert }).on('error', () => {})
  await once(socket, 'secureConnect')
  return new RawClient(socket)
}

async function metrics(world: World): Promise<string> {
  return (await fetch(`${world.broker.httpUrl}/metrics`)).text()
}

function valueIn(page: string, line: RegExp): number {
  return Number(new RegExp(`^${line.source} (.*)$`, 'm').exec(page)?.[1] ?? 0)
}

t.test('a login without TLS on a TLS listener is neither answered nor tried', async (t) => {
  const { world, port } = await openWorld(t)
  await addUser(world.local, 'ann', 's3cret-of-ann')
  const client = new RawClient(dialPlain(port))
  await t.rejects(shakeHands(client, 'PLAIN'))
  const blind = new RawClient(dialPlain(port))
  await t.rejects(logInByPlain(blind, 'ann', 's3cret-of-ann'))
  t.equal(client.frameCount + blind.frameCount, 0)
  const closed = world.logged.filter(({ message }) => message === 'TLS handshake failed')
  t.match(closed, [{ reason: /^plaintext on a TLS listener: .*=SASL_SSL/ }, {}])
  t.notMatch(await metrics(world), /millrace_authentication\w+\{/)
  t.notMatch(JSON.stringify(world.logged), /s3cret/)
})

t.test('a flood of handshakes is turned away before TLS, while a client goes on', async (t) => {
  const clock = new VirtualClock(Date.now())
  const { world, port } = await openWorld(t, { 'max.handshake.rate.per.ip': RATE }, clock)
  await addUser(world.local, 'ann', 'secret')
  const honest = await overTls(port)
  t.match(await logInByPlain(honest, 'ann', 'secret'), { error: undefined })
  for (let done = 0; done < ATTEMPTS; done += 100) {
    const attempts = Array.from({ length: 100 }, () => dialPlain(port))
    const closed = attempts.map(closing)
    for (const socket of attempts) socket.write('GET / HTTP/1.1\r\n\r\n')
    t.equal((await honest.send(metadata, NOBODY)).brokers.length, 1)
    await Promise.all(closed)
  }
  const page = await metrics(world)
  const refused = valueIn(
    page,
    /millrace_tls_handshake_failures_total\{listener="SASL_SSL",reason="rate"\}/,
  )
  t.equal(refused, ATTEMPTS - (BURST - 1), 'all but the burst, of which the client had one')
  const lines = world.logged.filter(({ message }) => message === 'too many TLS handshakes')
  t.ok(lines.length < 100, `${lines.length} lines in the log`)
  await clock.advance(1000)
  const late = await overTls(port)
  t.match(await logInByPlain(late, 'ann', 'secret'), { error: undefined }, 'a second later')
})

t.test('handshakes that go on byte by byte end in time, and give their places back', async (t) => {
  const clock = new VirtualClock(Date.now())
  const slowCount = 200
  const { world, port } = await openWorld(t, { 'max.connections': slowCount }, clock)
  await addUser(world.local, 'ann', 'secret')
  const slow = Array.from({ length: slowCount }, () => dialPlain(port))
  let openCount = slowCount
  for (const socket of slow) socket.once('close', () => openCount--)
  const closed = slow.map(closing)
  const accepted = async () =>
    valueIn(await metrics(world), /millrace_connections\{listener="kafka"\}/)
  while ((await accepted()) < slowCount) await settle()
  for (let i = 0; i < 4; i++) {
    for (const socket of slow) socket.write(HELLO.subarray(i, i + 1))
    await clock.advance(2_000)
  }
  t.equal(openCount, slowCount)
  await clock.advance(2_001)
  await Promise.all(closed)
  const page = await metrics(world)
  t.equal(
    valueIn(page, /millrace_tls_handshake_failures_total\{listener="SASL_SSL",reason="timeout"\}/),
    slowCount,
  )
  t.match(await logInByPlain(await overTls(port), 'ann', 'secret'), { error: undefined })
})

t.test('a run with TLS, passwords and ACLs prints no secret', async (t) => {
  const passwords = { ann: 's3cret-of-ann', bob: 's3cret-of-bob', nobody: 's3cret-in-vain' }
  const line = `org.apache.kafka.common.security.plain.PlainLoginModule required user_bob="${passwords.bob}";`
  const { world, port } = await openWorld(t, {
    'listener.name.sasl_ssl.plain.sasl.jaas.config': line,
    'ssl.key.password': 's3cret-of-the-key',
    'authorizer.class.name': STANDARD_AUTHORIZER,
    'super.users': 'User:ANONYMOUS',
  })
  await addUser(world.local, 'ann', passwords.ann)
  const told: unknown[] = []
  for (const [user, password] of Object.entries(passwords)) {
    for (const given of [password, passwords.nobody]) {
      const client = await overTls(port)
      const answer = await logInByPlain(client, user, given)
      told.push(answer, answer.told.toString())
      if (answer.error === undefined)
        told.push(await client.send(metadata, { topics: [{ name: 'secrets' }] }))
      for (const mechanism of scramMechanisms)
        told.push(await logInByScram(await overTls(port), mechanism, user, given))
    }
  }
  const admin = await world.connect('PLAINTEXT')
  const resources = [{ resourceType: 4, resourceName: '1', configurationKeys: null }]
  told.push(await admin.send(describeConfigs, { resources, includeSynonyms: true }))
  told.push(await admin.send(describeUserScramCredentials, { users: null }))
  const page = await metrics(world)
  const copy = join(t.testdir(), 'copy')
  cpSync(world.broker.dataDir, copy, { recursive: true, filter: (path) => !/lock/i.test(path) })
  const verified = await verifyDirectory(copy, { clock: systemClock, onRead: () => {} })
  const messages = world.logged.map(({ message }) => message)
  for (const message of [
    'authenticated',
    'authentication failed',
    'access denied',
    'users changed',
  ])
    t.ok(messages.includes(message), message)
  const printed = JSON.stringify([told, world.logged, verified, page])
  for (const secret of await secretsOf(passwords)) t.notOk(printed.includes(secret), secret)
})

/** What nobody may see: passwords, what they are salted into, in the spellings in which bytes are printed, and keys. */
async function secretsOf(passwords: Readonly<Record<string, string>>): Promise<string[]> {
  const [first = ''] = /[\w+/]{40,}/.exec(local.key) ?? []
  const bytes: Buffer[] = []
  for (const mechanism of scramMechanisms) {
    const kept = { salt: Buffer.from('salt of ann'), iterations: 4_096 }
    bytes.push(await saltedPassword(mechanism, passwords['ann']!, kept))
  }
  const spelt = bytes.flatMap((each) => [
    each.toString('base64'),
    each.toString('hex'),
    JSON.stringify(each).slice(0, -1),
  ])
  return [...Object.values(passwords), 's3cret-of-the-key', first, ...spelt]
}
