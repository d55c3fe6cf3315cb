// Listeners with TLS through real sockets: principals, refusals, bounds, certificates that change, and clients that leave at
// any moment. Against foreign clients: in clients/testing/interop/.

import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { connect as connectPlain, type Socket } from 'node:net'
import { connect, type ConnectionOptions, type TLSSocket } from 'node:tls'
import t, { type Test } from '../../protocol/testing/tap.ts'
import { metadata } from '../../protocol/api/03_metadata.ts'
import { createDelegationToken } from '../../protocol/api/38_create_delegation_token.ts'
import { describeConfigs } from '../../protocol/api/32_describe_configs.ts'
import { fetch } from '../../protocol/api/01_fetch.ts'
import { Authority, type Identity } from '../../clients/testing/certificates.ts'
import { RawClient } from '../testing/raw-client.ts'
import { settle, VirtualClock } from '../testing/virtual-clock.ts'
import { batchOf, fetchFrom, fetchRequest, produceTo, valuesOf, World } from '../testing/world.ts'
import { authority, local, StoreDirectory } from '../tls/testing/certified.ts'

const MIB = 1024 * 1024
const ca = authority.cert

type Config = Readonly<Record<string, string | number>>

/** A broker with a listener SSL, whose stores it knows by `own`, and one without. */
async function openWorld(t: Test, config: Config = {}, clock?: VirtualClock) {
  const own = new StoreDirectory(t).properties()
  const listeners = 'PLAINTEXT://127.0.0.1:0,SSL://127.0.0.1:0'
  const options = { config: { listeners, ...own, ...config }, ...(clock && { clock }) }
  const world = await World.open(t, options)
  const at = (name: string) => Number(world.broker.listeners[name]!.split(':')[1])
  return { world, own, port: at('SSL'), plainPort: at('PLAINTEXT') }
}

function dial(port: number, options: ConnectionOptions = {}): TLSSocket {
  return connect({ host: '127.0.0.1', port, ca, ...options }).on('error', () => {})
}

/** @returns undefined when the broker ends the connection before the first answer */
async function clientOver(socket: Socket): Promise<RawClient | undefined> {
  const client = new RawClient(socket)
  try {
    await client.send(metadata, { topics: [] })
    return client
  } catch {
    return undefined
  }
}

/** The name of the principal that the broker sees; undefined when it ends the connection. */
async function nameOver(port: number, options: ConnectionOptions): Promise<string | undefined> {
  const client = await clientOver(dial(port, options))
  if (client === undefined) return undefined
  const token = { renewers: [], maxLifetimeMs: 1 }
  const { principalType, principalName } = await client.send(createDelegationToken, token)
  await client.close()
  return `${principalType}:${principalName}`
}

async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await condition())) await settle()
}

/** Waits for as many reasons: a client may see its end before the broker logs why. */
async function reasonsOf(world: World, count: number): Promise<string[]> {
  await until(() => reasons(world).length >= count)
  return reasons(world)
}

function reasons(world: World): string[] {
  return world.logged
    .filter(({ message }) => /TLS handshake|connection closed/.test(message))
    .map(({ reason }) => `${reason as string}`)
}

t.test('the principal of a client is the subject of its certificate, by the rules', async (t) => {
  const alice = authority.issue({ name: 'Alice', hosts: ['alice.example'] })
  const stranger = new Authority('the test CA').issue({ name: 'Alice' })
  const expired = authority.issue({ name: 'Alice', notAfter: new Date(Date.now() - 60_000) })
  const cases: [auth: string, rules: string, identity: Identity | undefined, name?: string][] = [
    ['none', 'DEFAULT', undefined, 'User:ANONYMOUS'],
    ['none', 'DEFAULT', stranger, 'User:ANONYMOUS'],
    ['requested', 'DEFAULT', undefined, 'User:ANONYMOUS'],
    ['requested', 'DEFAULT', alice, 'User:CN=Alice'],
    ['requested', 'DEFAULT', stranger],
    ['requested', 'DEFAULT', expired],
    ['required', 'DEFAULT', alice, 'User:CN=Alice'],
    ['required', 'RULE:^CN=(.*)$/$1/L,DEFAULT', alice, 'User:alice'],
    ['required', 'RULE:^OU=(.*)$/$1/', alice],
    ['required', 'DEFAULT', undefined],
    ['required', 'DEFAULT', stranger],
    ['required', 'DEFAULT', expired],
  ]
  for (const [auth, rules, identity, name] of cases) {
    const config = { 'ssl.client.auth': auth, 'ssl.principal.mapping.rules': rules }
    const { world, port } = await openWorld(t, config)
    for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
      const versions = { minVersion: version, maxVersion: version }
      const what = `${auth} ${version} ${identity === undefined ? 'without' : ''} ${String(name)}`
      t.equal(await nameOver(port, { ...identity, ...versions }), name, what)
    }
    await until(() => reasons(world).length === (name === undefined ? 2 : 0))
    if (identity === stranger && name === undefined)
      t.match(reasons(world), [/its certificate is not trusted: /, /not trusted/])
    if (identity === expired) t.match(reasons(world), [/CERT_HAS_EXPIRED/, /CERT_HAS_EXPIRED/])
    if (auth === 'required' && identity === undefined)
      t.match(reasons(world), [/^no certificate, and ssl\.client\.auth=required/, /^no cert/])
    if (rules.includes('OU')) t.match(reasons(world), [/^no rule of .* applies to CN=Alice/, /^no/])
  }
})

t.test(
  'a client that speaks something else than the listener is closed, and the log says what',
  async (t) => {
    const { world, port, plainPort } = await openWorld(t)
    t.equal(await clientOver(connectPlain(port, '127.0.0.1')), undefined)
    t.match(await reasonsOf(world, 1), [
      /^plaintext on a TLS listener: its clients use security\.protocol=SSL/,
    ])
    const http = connectPlain(port, '127.0.0.1').on('error', () => {})
    http.write('GET / HTTP/1.1\r\n\r\n')
    await once(http, 'close')
    t.match((await reasonsOf(world, 2))[1], /^plaintext on a TLS listener/)
    t.equal(await clientOver(dial(plainPort)), undefined)
    t.match(
      (await reasonsOf(world, 3))[2],
      /^a TLS hello on listener PLAINTEXT: .*security\.protocol=PLAINTEXT/,
    )
    const versions = {
      minVersion: 'TLSv1',
      maxVersion: 'TLSv1.1',
      ciphers: 'ALL:@SECLEVEL=0',
    } as const
    t.equal(await clientOver(dial(port, versions)), undefined)
    t.match((await reasonsOf(world, 4))[3], /^no TLS: /)
    const insideTls = dial(port)
    await once(insideTls, 'secureConnect')
    insideTls.write(Buffer.from('16030100', 'hex'))
    await once(insideTls, 'close')
    t.match(
      (await reasonsOf(world, 5))[4],
      /^a TLS hello on listener SSL: its clients use security\.protocol=SSL/,
    )
  },
)

t.test('only the versions and suites of the configuration are spoken', async (t) => {
  const suite = 'TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256'
  const config = { 'ssl.enabled.protocols': 'TLSv1.2', 'ssl.cipher.suites': suite }
  const { port } = await openWorld(t, config)
  const socket = dial(port)
  await once(socket, 'secureConnect')
  t.equal(socket.getProtocol(), 'TLSv1.2')
  t.equal(socket.getCipher().standardName, suite)
  socket.destroy()
  t.equal(await clientOver(dial(port, { minVersion: 'TLSv1.3' })), undefined)
})

t.test(
  'a handshake that is not done in time is cut off, and holds no place after that',
  async (t) => {
    const clock = new VirtualClock(Date.now())
    const { world, port } = await openWorld(t, { 'max.connections': 1 }, clock)
    const silent = connectPlain(port, '127.0.0.1').on('error', () => {})
    await once(silent, 'connect')
    t.equal(await clientOver(dial(port)), undefined, 'the only place is taken')
    await clock.advance(10_000)
    await once(silent, 'close')
    t.match(await reasonsOf(world, 1), [/^no TLS within 10000 ms$/])
    const client = await clientOver(dial(port))
    t.ok(client, 'the place is free')
    await client!.close()
  },
)

t.test(
  'one address begins so many handshakes and no more, in a burst and per second',
  async (t) => {
    const clock = new VirtualClock(Date.now())
    const { world, port } = await openWorld(t, { 'max.handshake.rate.per.ip': 2 }, clock)
    const attempts = async (count: number) => {
      let through = 0
      for (let i = 0; i < count; i++) {
        const client = await clientOver(dial(port))
        if (client !== undefined) through++
        await client?.close()
      }
      return through
    }
    t.equal(await attempts(15), 10, 'five seconds of its rate')
    const silent = connectPlain(port, '127.0.0.1')
      .on('error', () => {})
      .resume()
    await once(silent, 'close')
    t.same([silent.bytesRead, silent.bytesWritten], [0, 0], 'refused without any work of TLS')
    await clock.advance(1000)
    t.equal(await attempts(4), 2)
    t.ok(world.logged.some(({ message }) => message === 'too many TLS handshakes'))
  },
)

t.test('new files are taken while old connections go on; bad ones change nothing', async (t) => {
  const clock = new VirtualClock(Date.now())
  const { world, own, port } = await openWorld(t, { 'http.port': 0 }, clock)
  const before = await clientOver(dial(port))
  const subjectNow = async () => {
    const socket = dial(port, { rejectUnauthorized: false })
    await once(socket, 'secureConnect')
    const { subject } = socket.getPeerX509Certificate()!
    socket.destroy()
    return subject
  }
  const ready = async () => {
    const answer = await globalThis.fetch(`${world.broker.httpUrl}/readyz`)
    const { warnings } = (await answer.json()) as { warnings: string[] }
    return { status: answer.status, warnings }
  }
  const metric = async (name: string) => {
    const text = await (await globalThis.fetch(`${world.broker.httpUrl}/metrics`)).text()
    return Number(new RegExp(`^${name}\\{listener="SSL"\\} (.*)$`, 'm').exec(text)?.[1])
  }
  const takes = async (contents: string, says: RegExp) => {
    const from = world.logged.length
    writeFileSync(own['ssl.keystore.location'], contents)
    // In small steps, because the next check has no time yet while an earlier one still reads.
    await until(async () => {
      await clock.advance(100)
      return world.logged.slice(from).some(({ message }) => says.test(message))
    })
  }
  t.equal(await subjectNow(), 'CN=broker')
  t.strictSame(await ready(), { status: 200, warnings: [] })

  const renewed = authority.issue({ name: 'renewed', hosts: ['127.0.0.1'] })
  await takes(renewed.key + renewed.cert, /^new certificates$/)
  t.equal(await subjectNow(), 'CN=renewed')

  await takes(renewed.key + local.cert, /cannot be taken/)
  t.equal(await subjectNow(), 'CN=renewed', 'the old one stays')
  t.match(await ready(), { status: 200, warnings: [/old certificates: .*key does not fit/] })
  t.equal(await metric('millrace_tls_reload_failures_total'), 1)
  await clock.advance(10_000)
  await takes('', /cannot be taken/)
  t.equal(await metric('millrace_tls_reload_failures_total'), 2)

  await takes(renewed.key + renewed.cert, /^certificates as before$/)
  t.match(await ready(), { status: 200, warnings: [] })
  const notAfter = new Date(clock.now() + 3_600_000)
  const short = authority.issue({ name: 'short', notAfter })
  await takes(short.key + short.cert, /^the certificate expires in 1 day$/)
  t.match(await ready(), { warnings: [/the certificate of listener SSL expires in 1 day/] })
  const left = await metric('millrace_tls_certificate_remaining_seconds')
  const due = (notAfter.getTime() - clock.now()) / 1000
  t.ok(Math.abs(left - due) <= 1, `${left} of ${due}`)
  t.equal(await metric('millrace_tls_reloads_total'), 2)
  t.ok(await before!.send(metadata, { topics: [] }), 'the first connection has heard nothing')
})

t.test('a session that began under another CA is not resumed, under the same it is', async (t) => {
  for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
    const clock = new VirtualClock(Date.now())
    const config = { 'ssl.client.auth': 'required' }
    const { world, own, port } = await openWorld(t, config, clock)
    const alice = {
      ...authority.issue({ name: 'alice' }),
      minVersion: version,
      maxVersion: version,
    }
    const first = dial(port, alice)
    let session: Buffer | undefined
    first.on('session', (ticket: Buffer) => (session = ticket))
    await clientOver(first)
    first.destroy()
    t.ok(session, `${version}: a session`)

    const again = dial(port, { ...alice, session: session! })
    t.ok(await clientOver(again))
    t.ok(again.isSessionReused(), `${version}: resumed`)
    again.destroy()

    writeFileSync(own['ssl.truststore.location'], new Authority('another CA').cert)
    await clock.advance(10_000)
    await until(() => world.logged.some(({ message }) => message === 'new certificates'))
    const late = dial(port, { ...alice, session: session! })
    t.equal(await clientOver(late), undefined, `${version}: refused`)
    t.match(await reasonsOf(world, 1), [/its certificate is not trusted/])
  }
})

t.test('a resumed session ends with the certificate of its client', async (t) => {
  const clock = new VirtualClock(Date.now())
  const { world, port } = await openWorld(t, { 'ssl.client.auth': 'required' }, clock)
  const notAfter = new Date(clock.now() + 60_000)
  const alice = authority.issue({ name: 'alice', notAfter })
  const first = dial(port, alice)
  let session: Buffer | undefined
  first.on('session', (ticket: Buffer) => (session = ticket))
  await clientOver(first)
  first.destroy()
  await clock.advance(61_000)
  t.equal(await clientOver(dial(port, { ...alice, session: session! })), undefined)
  t.match(await reasonsOf(world, 1), [/^its certificate has expired$/])
})

t.test('a client cannot shake hands a second time', async (t) => {
  const { port } = await openWorld(t)
  const socket = dial(port, { maxVersion: 'TLSv1.2' })
  const client = await clientOver(socket)
  const error = await new Promise((resolve) => {
    socket.on('error', resolve)
    socket.renegotiate({ rejectUnauthorized: false }, resolve)
  })
  t.match(error, /no renegotiation|renegotiat/i)
  await client!.close()
})

t.test(
  'much goes both ways, to readers that stop and go on, and nothing is counted twice',
  async (t) => {
    const { world, port } = await openWorld(t, { 'http.port': 0 })
    await world.topic('large')
    const writer = (await clientOver(dial(port)))!
    const value = 'x'.repeat(MIB - 1000)
    for (let i = 0; i < 12; i++)
      await produceTo(writer, 'large', 0, batchOf([`${i} ${value}`], { timestamp: -1 }))
    const slow = (await clientOver(dial(port)))!
    slow.socket.pause()
    for (let i = 0; i < 12; i++) slow.write(fetch, fetchRequest('large', 0, i), 11)
    const other = await fetchFrom(writer, 'large', 0, 0)
    t.equal(valuesOf(other.records).length, 1, 'others are served meanwhile')
    slow.socket.resume()
    for (let i = 0; i < 12; i++) {
      const { responses } = await slow.answerTo(fetch, 11)
      const [first] = valuesOf(responses[0]!.partitions[0]!.records)
      t.equal(first?.split(' ')[0], `${i}`)
    }
    const unsent = async () => {
      const text = await (await globalThis.fetch(`${world.broker.httpUrl}/metrics`)).text()
      return Number(/^millrace_unsent_bytes.* (\d+)$/m.exec(text)?.[1])
    }
    await until(async () => (await unsent()) === 0)
    await Promise.all([writer.close(), slow.close()])
  },
)

t.test('a client may leave at any moment', async (t) => {
  const { world, port } = await openWorld(t, {
    'http.port': 0,
    'connection.handshake.timeout.ms': 1000, // holds the place of a client that leaves with a FIN
  })
  const { client: plain } = await world.topic('left')
  for (let i = 0; i < 8; i++)
    await produceTo(plain, 'left', 0, batchOf(['x'.repeat(MIB)], { timestamp: -1 }))
  await plain.close()
  const leave: ((client: RawClient, below: Socket) => void)[] = [
    ({ socket }) => socket.destroy(),
    ({ socket }) => socket.end(),
    (_, below) => below.destroy(),
    (_, below) => below.resetAndDestroy(),
  ]
  for (const leaves of leave) {
    for (const wait of [0, 1, 5]) {
      const below = connectPlain(port, '127.0.0.1').on('error', () => {})
      const client = (await clientOver(dial(port, { socket: below })))!
      client.socket.pause()
      for (let i = 0; i < 8; i++) client.write(fetch, fetchRequest('left', 0, i), 11)
      for (let turn = 0; turn < wait; turn++) await settle()
      leaves(client, below)
      client.socket.resume()
      await client.closed
    }
  }
  const hello = connectPlain(port, '127.0.0.1')
  hello.write(Buffer.from('160301020001', 'hex'))
  await once(hello, 'connect')
  hello.destroy()
  const connections = async () => {
    const text = await (await globalThis.fetch(`${world.broker.httpUrl}/metrics`)).text()
    return Number(/^millrace_connections.* (\d+)$/m.exec(text)?.[1])
  }
  await until(async () => (await connections()) === 0)
  t.strictSame(
    world.logged.filter(({ level }) => level === 'error'),
    [],
  )
})

t.test('a client that has sent its end still gets its answers', async (t) => {
  for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
    const { port } = await openWorld(t)
    const options = { allowHalfOpen: true, minVersion: version, maxVersion: version }
    const socket = dial(port, options)
    const client = (await clientOver(socket))!
    client.write(metadata, { topics: [] })
    client.socket.end()
    t.ok(await client.nextFrame(), version)
    await client.closed
  }
})

t.test('no secret of TLS is shown or logged', async (t) => {
  const secret = 'hunter2hunter2'
  const config = {
    'ssl.key.password': secret,
    'listener.name.ssl.ssl.keystore.location': '',
    'listener.name.ssl.ssl.keystore.key': local.key,
    'listener.name.ssl.ssl.keystore.certificate.chain': local.cert,
  }
  const { world, port } = await openWorld(t, config)
  const client = (await clientOver(dial(port)))!
  const resources = [{ resourceType: 4, resourceName: '1', configurationKeys: null }]
  const answer = await client.send(describeConfigs, { resources, includeSynonyms: true })
  const { configs } = answer.results[0]!
  const named = configs.find(({ name }) => name === 'listener.name.ssl.ssl.keystore.key')
  t.match(named, { value: null, isSensitive: true, readOnly: true })
  const told = JSON.stringify([answer, world.logged])
  for (const each of [secret, local.key.split('\n')[1]!]) t.notOk(told.includes(each))
  await client.close()
})
