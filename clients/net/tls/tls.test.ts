// TLS of the client, against a broker in memory: what works, and what every failure says.
// Against Apache Kafka: testing/interop/security.interop.ts

import { spawn } from 'node:child_process'
import { createServer, type AddressInfo } from 'node:net'
import type { TLSSocket } from 'node:tls'
import t from '../../../protocol/testing/tap.ts'
import { metadata } from '../../../protocol/api/03_metadata.ts'
import { Client, type ClientOptions } from '../../index.ts'
import { Authority } from '../../testing/certificates.ts'
import { FakeBroker } from '../../testing/fake-broker.ts'
import { authority, ca, local, outcome } from '../../testing/secured.ts'

t.test('records go both ways through TLS, on all sockets at once', async (t) => {
  await using broker = await FakeBroker.start(local)
  broker.createTopic('big', 4)
  await using client = new Client({ brokers: broker.bootstrap, tls: { ca } })
  await using producer = client.producer()
  const value = (n: number) => Buffer.alloc(150_000, n)
  await producer.send(
    'big',
    Array.from({ length: 12 }, (_, n) => ({ value: value(n), partition: n % 4 })),
  )
  const readers = Array.from({ length: 3 }, async () => {
    await using consumer = client.consumer({ topics: ['big'], from: 'earliest', until: 'end' })
    const seen: number[] = []
    for await (const record of consumer) {
      const n = record.value![0]!
      if (record.value!.equals(value(n))) seen.push(n)
    }
    return seen.sort((a, b) => a - b)
  })
  for (const seen of await Promise.all(readers))
    t.strictSame(seen, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11])
})

t.test('each broker hears its own host name, and an address is no name', async (t) => {
  const names: (string | false)[] = []
  await using broker = await FakeBroker.start(local)
  const accept = broker.admits
  broker.admits = (api, socket) => {
    names.push((socket as TLSSocket).servername!)
    return accept(api, socket)
  }
  broker.createTopic('t')
  broker.advertisedHost = 'localhost'
  await using client = new Client({ brokers: broker.bootstrap, tls: { ca } })
  await using producer = client.producer()
  await producer.send('t', { value: 'x' })
  t.ok(names.includes('localhost'), 'the one that Metadata names')
  t.ok(names.includes(false), 'the address that was given')
})

t.test(
  'what is wrong with a certificate is said, with what to try, and not tried again',
  async (t) => {
    const day = 86_400_000
    const cases: [
      what: string,
      identity: { cert: string; key: string },
      tls: ClientOptions['tls'],
      message: RegExp,
    ][] = [
      ['a CA that nobody knows', local, true, /CA that is not trusted here: .*tls\.ca/],
      [
        'another CA',
        local,
        { ca: new Authority('the test CA').cert },
        /CA that is not trusted here/,
      ],
      [
        'an expired one',
        authority.issue({
          name: 'b',
          hosts: ['127.0.0.1'],
          notAfter: new Date(Date.now() - 60_000),
        }),
        { ca },
        /has expired: renew it/,
      ],
      [
        'one that is too young',
        authority.issue({ name: 'b', hosts: ['127.0.0.1'], notBefore: new Date(Date.now() + day) }),
        { ca },
        /not valid yet/,
      ],
      [
        'one for another host',
        authority.issue({ name: 'b', hosts: ['kafka.example.com'] }),
        { ca },
        /another host \(DNS:kafka\.example\.com\): .*tls\.serverName/,
      ],
      ['one without that name', local, { ca, serverName: 'k2.example.com' }, /another host/],
    ]
    for (const [what, identity, tls, message] of cases) {
      await using broker = await FakeBroker.start(identity)
      const error = await outcome(broker.bootstrap, { tls, bootstrapTimeoutMs: 60_000 })
      t.match(error, { code: 'TLS_FAILED', retriable: false, message }, what)
      t.ok(error?.message.includes(broker.bootstrap), `${what}: where`)
    }
    const foreign = authority.issue({ name: 'b', hosts: ['kafka.example.com'] })
    await using broker = await FakeBroker.start(foreign)
    for (const tls of [
      { ca, serverName: 'kafka.example.com' },
      { ca, verifyHostName: false },
      { rejectUnauthorized: false, verifyHostName: false },
    ])
      t.equal(await outcome(broker.bootstrap, { tls }), undefined, JSON.stringify(Object.keys(tls)))
    const warnings: string[] = []
    const logger = { debug() {}, info() {}, warn: (_: object, text: string) => warnings.push(text) }
    await new Client({ brokers: 'k:1', tls: { rejectUnauthorized: false }, logger }).close()
    t.match(warnings, [/anybody may pass for a broker/])
  },
)

t.test('a broker that wants a certificate gets one, or says so', async (t) => {
  for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
    const ours = authority.issue({ name: 'client' })
    const asking = { ...local, ca, requestCert: true, rejectUnauthorized: true, maxVersion }
    await using broker = await FakeBroker.start(asking)
    t.equal(await outcome(broker.bootstrap, { tls: { ca, ...ours } }), undefined)
    const wrong = new Authority('another').issue({ name: 'client' })
    for (const more of [{}, wrong]) {
      const error = await outcome(broker.bootstrap, { tls: { ca, ...more } })
      t.match(error?.message, /certificate of this client|this client's certificate/, maxVersion)
    }
  }
})

t.test('a port of the other kind is told from one that is down', async (t) => {
  await using plaintext = await FakeBroker.start()
  await using tls = await FakeBroker.start(local)
  const hello = await outcome(plaintext.bootstrap, { tls: { ca } })
  t.match(hello?.message, /in the TLS handshake: is it a listener with TLS/)
  const frame = await outcome(tls.bootstrap)
  t.match(frame?.message, /speaks TLS only: set tls|is it a Kafka listener, without TLS\?/)

  const http = createServer((socket) => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'))
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve))
  const { port } = http.address() as AddressInfo
  t.match(await outcome(`127.0.0.1:${port}`, { tls: true }), {
    code: 'TLS_FAILED',
    message: /answers without TLS/,
  })
  http.close()

  const alerting = createServer((socket) => socket.end(Buffer.from('15030100020228', 'hex')))
  await new Promise<void>((resolve) => alerting.listen(0, '127.0.0.1', resolve))
  const at = alerting.address() as AddressInfo
  t.match(await outcome(`127.0.0.1:${at.port}`), {
    code: 'TLS_FAILED',
    message: /speaks TLS only: set tls/,
  })
  alerting.close()

  const silent = createServer(() => {})
  await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve))
  const where = `127.0.0.1:${(silent.address() as AddressInfo).port}`
  const late = await outcome(where, { tls: true, connectTimeoutMs: 50 })
  t.match(late, { code: 'BROKER_NOT_AVAILABLE', message: /no TLS within 50 ms/ })
  silent.close()

  const dead = await outcome('127.0.0.1:1', { tls: true })
  t.match(dead, { code: 'BROKER_NOT_AVAILABLE', message: /refused the connection/ })
})

t.test('certificates are looked at when the client is made', async (t) => {
  const other = authority.issue({ name: 'other' })
  const cases: [tls: any, message: RegExp][] = [
    [{ ca: '/etc/ssl/ca.pem' }, /new Client: tls\.ca is a string, expected the contents of a PEM/],
    [{ cert: local.cert }, /tls\.key is missing/],
    [{ key: local.key }, /tls\.cert is missing/],
    [{ cert: local.cert, key: other.key }, /the key does not belong to the certificate/],
    [
      { pfx: Buffer.from('feedfeed', 'hex') },
      /tls\.pfx is a Buffer, expected the contents of a PKCS12/,
    ],
    [{ pfx: Buffer.from('3000', 'hex') }, /cannot be read/],
    [{ cert: `${local.cert.slice(0, 200)}\n`, key: local.key }, /cannot be read/],
    [{ caa: ca }, /there is no option tls\.caa; did you mean ca\?/],
    ['yes', /tls is a string, expected true or false, or an object/],
  ]
  for (const [tls, message] of cases) {
    t.throws(() => new Client({ brokers: 'k:1', tls }), { name: 'TypeError', message })
  }
})

t.test('an idle TLS socket does not keep the process alive', async (t) => {
  await using broker = await FakeBroker.start(local)
  const script = `
    const { Client } = await import(${JSON.stringify(new URL('../../index.js', import.meta.url).href)})
    const client = new Client({ brokers: '${broker.bootstrap}', tls: { ca: process.env.CA } })
    console.log((await client.admin().listTopics()).length)`
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], { env: { CA: ca } })
  const status = await new Promise((resolve) => child.on('close', resolve))
  t.equal(status, 0)
  t.equal(broker.seen(metadata).length > 0, true)
})
