// The broker's addresses, by Kafka's properties and in the short form; and the refused ones, with their messages.

import t from '../protocol/testing/tap.ts'
import { isLoopback } from './addresses.ts'
import { configSpec, isNetworkOpen, readSettings } from './config.ts'
import { isExposed } from './listener-configs.ts'
import { ListenerProperties } from './listener-properties.ts'

function settingsOf(properties: Record<string, string>) {
  return readSettings([{ origin: 'test', properties }])
}

const both = ['127.0.0.1', '::1']

t.test('host and port make one listener, PLAINTEXT, on both loopback addresses', async (t) => {
  const one = { name: 'PLAINTEXT', securityProtocol: 'PLAINTEXT', advertised: {} }
  t.same(settingsOf({}).listeners, [{ ...one, hosts: both, port: 9092 }])
  t.same(settingsOf({ host: 'localhost', port: '0' }).listeners, [{ ...one, hosts: both, port: 0 }])
  t.same(settingsOf({ host: 'localhost,::1' }).listeners, [{ ...one, hosts: both, port: 9092 }])
  t.same(settingsOf({ host: '127.0.0.2, ::1' }).listeners, [
    { ...one, hosts: ['127.0.0.2', '::1'], port: 9092 },
  ])
})

t.test('listeners have names of their own, in either case, and protocols by the map', async (t) => {
  const { listeners, notes } = settingsOf({
    listeners: 'PLAINTEXT://:9092, internal://127.0.0.1:19092,V6://[::1]:29092',
    'listener.security.protocol.map': 'Internal:plaintext,V6:PLAINTEXT,OTHER:SSL',
    'advertised.listeners': 'INTERNAL://broker.example:7000,v6://[fe80::1]:7001',
  })
  const securityProtocol = 'PLAINTEXT'
  t.same(listeners, [
    { name: 'PLAINTEXT', securityProtocol, hosts: both, port: 9092, advertised: {} },
    {
      name: 'INTERNAL',
      securityProtocol,
      hosts: ['127.0.0.1'],
      port: 19_092,
      advertised: { host: 'broker.example', port: 7000 },
    },
    {
      name: 'V6',
      securityProtocol,
      hosts: ['::1'],
      port: 29_092,
      advertised: { host: 'fe80::1', port: 7001 },
    },
  ])
  t.same(notes, [])
})

t.test('the listeners of a KRaft controller are passed over, with a note', async (t) => {
  const { listeners, notes } = settingsOf({
    listeners: 'PLAINTEXT://127.0.0.1:9092,CONTROLLER://0.0.0.0:9093,Quorum://:9094',
    'controller.listener.names': 'quorum',
    'advertised.listeners': 'PLAINTEXT://localhost:9092,CONTROLLER://localhost:9093',
    port: '9999',
  })
  t.same(
    listeners.map(({ name }) => name),
    ['PLAINTEXT'],
  )
  t.match(notes, [
    /listeners=CONTROLLER:\/\/0\.0\.0\.0:9093 is passed over/,
    /listeners=QUORUM:\/\/:9094 is passed over/,
    /^port has no effect: listeners says where/,
  ])
})

t.test('a host or port from a stronger source changes the listener of a weaker one', async (t) => {
  const read = (strong: Record<string, string>, weak: Record<string, string>) =>
    readSettings([
      { origin: 'flag', properties: strong },
      { origin: 'environment', properties: {} },
      { origin: 'server.properties', properties: weak },
    ])
  const ofKafka = {
    listeners: 'PLAINTEXT://:9092,CONTROLLER://:9093',
    'advertised.listeners': 'PLAINTEXT://localhost:9092,CONTROLLER://localhost:9093',
  }
  const moved = read({ port: '19092' }, ofKafka)
  t.match(moved.listeners, [{ port: 19_092, advertised: { host: 'localhost', port: 19_092 } }])
  t.same(moved.notes.length, 1, 'only the controller is noted')
  t.same(read({ port: '0' }, ofKafka).listeners[0]!.advertised, { host: 'localhost' })
  const behind = { ...ofKafka, 'advertised.listeners': 'PLAINTEXT://kafka.example:443' }
  t.match(read({ port: '1' }, behind).listeners, [{ port: 1, advertised: { port: 443 } }])
  const told = { 'advertised.listeners': 'PLAINTEXT://localhost:9092' }
  t.match(read({ port: '1', ...told }, ofKafka).listeners, [
    { port: 1, advertised: { port: 9092 } },
  ])

  const secure = { listeners: 'SSL://127.0.0.1:9093', 'ssl.client.auth': 'required' }
  const elsewhere = read({ host: '127.0.0.2', port: '0' }, secure).listeners
  t.match(elsewhere, [{ name: 'SSL', securityProtocol: 'SSL', hosts: ['127.0.0.2'], port: 0 }])
  t.throws(() => read({ host: '10.0.0.1' }, ofKafka), /host=10\.0\.0\.1 \(flag\) can be reached/)
  const several = { listeners: 'PLAINTEXT://:1,SSL://:2' }
  t.throws(
    () => read({ port: '3' }, several),
    /port=3 \(flag\): listeners \(server\.properties\) has several/,
  )

  const both = read({ listeners: 'PLAINTEXT://:1', port: '3' }, ofKafka)
  t.match(both.listeners, [{ port: 1 }])
  t.match(both.notes, [/^port has no effect: listeners says where/])
  t.match(read({ listeners: 'PLAINTEXT://:1' }, { port: '3' }).listeners, [{ port: 1 }])
})

t.test(
  'what is advertised is understood with a name or without, with a port or without',
  async (t) => {
    const advertised = (value: string) =>
      settingsOf({ 'advertised.listeners': value }).listeners[0]!.advertised
    t.same(advertised(''), {})
    t.same(advertised('PLAINTEXT://kafka.example:9093'), { host: 'kafka.example', port: 9093 })
    t.same(advertised('plaintext://kafka.example'), { host: 'kafka.example' })
    t.same(advertised('kafka.example'), { host: 'kafka.example' })
    t.same(advertised('[::1]:1'), { host: '::1', port: 1 })
    const two = {
      listeners: 'PLAINTEXT://:9092,SECOND://:9093',
      'listener.security.protocol.map': 'SECOND:PLAINTEXT',
    }
    const { listeners } = settingsOf({ ...two, 'advertised.listeners': 'SECOND://x:1,y' })
    t.same(
      listeners.map((listener) => listener.advertised),
      [{ host: 'y' }, { host: 'x', port: 1 }],
    )
    for (const [bad, says] of [
      ['SSL://x:1', /no listener SSL, only PLAINTEXT/],
      ['a b', /want NAME:/],
      ['x:99999', /want NAME:/],
      ['x:1,y:2', /say which listener is at y/],
      ['PLAINTEXT://x:1,PLAINTEXT://y:1', /say which listener is at y/],
      [':1', /want NAME:/],
    ] as const)
      t.throws(() => advertised(bad), { code: 'INVALID_CONFIG', message: says }, bad)
    t.throws(
      () => settingsOf({ ...two, 'advertised.listeners': 'x:1' }),
      /say which listener is at x/,
    )
    const unspecified = ['0.0.0.0', '0.0.0.0:9092', 'PLAINTEXT://0.0.0.0:9092', '0', '0.0', '[::]']
    for (const bad of [...unspecified, '[::0]:9092', '[0:0:0:0:0:0:0:0]', '[::ffff:0.0.0.0]:1'])
      t.throws(() => advertised(bad), { code: 'INVALID_CONFIG', message: /not 0\.0\.0\.0 or ::/ })
  },
)

t.test('listeners that cannot be are refused, naming property and listener', async (t) => {
  const map = { 'listener.security.protocol.map': 'A:PLAINTEXT,B:PLAINTEXT,SAFE:SASL_SSL' }
  const cases: [listeners: string, says: RegExp][] = [
    ['PLAINTEXT', /listeners=PLAINTEXT \(test\): want NAME:\/\/HOST:PORT/],
    ['A://x:', /want NAME/],
    ['://x:1', /want NAME/],
    ['A://:70000', /want NAME/],
    ['A://:1,', /want NAME/],
    ['A://:1,A://:2', /listeners=A:\/\/:2: another listener has A, too/],
    ['A://127.0.0.1:1,B://:1', /listeners=B:\/\/:1: another listener has 127\.0\.0\.1:1, too/],
    ['CONTROLLER://:9093', /listeners has none for clients/],
    [
      'INSIDE://:1',
      /listeners=INSIDE:\/\/:1: add INSIDE:PLAINTEXT to listener\.security\.protocol\.map/,
    ],
    [
      'A://:1,B://0.0.0.0:2',
      /listeners=B:\/\/0\.0\.0\.0:2 can be reached from other machines.*--i-accept/,
    ],
    ['A://[::]:2', /listeners=A:\/\/\[::\]:2 can be reached/],
  ]
  for (const [listeners, message] of cases) {
    t.throws(
      () => settingsOf({ listeners, ...map }),
      { code: 'INVALID_CONFIG', message },
      listeners,
    )
  }
  t.throws(() => settingsOf({ 'listener.security.protocol.map': 'A:TLS' }), /want NAME:PROTOCOL/)
  t.throws(() => settingsOf({ 'http.host': '10.0.0.1' }), /http\.host=10\.0\.0\.1 can be/)
  const accepted = {
    'i.accept.unauthenticated.network': 'true',
    listeners: 'A://0.0.0.0:2',
    ...map,
  }
  t.match(settingsOf(accepted).listeners, [{ name: 'A', hosts: ['0.0.0.0'] }])
})

t.test(
  'a property of a listener goes before the broker’s, one of a mechanism before both',
  async (t) => {
    const { given } = settingsOf({
      listeners: 'IN.SIDE://:9092,PLAINTEXT://:9093',
      'listener.security.protocol.map': 'IN.SIDE:PLAINTEXT,PLAINTEXT:PLAINTEXT',
      'sasl.enabled.mechanisms': 'PLAIN',
      'ssl.keystore.location': '/all.pem',
      'Listener.Name.In.Side.ssl.keystore.location': '/own.pem',
      'listener.name.in.side.sasl.jaas.config': 'for each',
      'listener.name.in.side.scram-sha-256.sasl.jaas.config': 'for one',
      'listener.name.controller.ssl.keystore.location': '/passed/over.pem',
    })
    const names = [
      'ssl.keystore.location',
      'sasl.jaas.config',
      'sasl.enabled.mechanisms',
      'sasl.server.max.receive.size',
    ]
    const table = Object.fromEntries(names.map((name) => [name, configSpec(name, 'test')]))
    const inside = new ListenerProperties('IN.SIDE', given)
    t.same(inside.read(table), {
      'ssl.keystore.location': '/own.pem',
      'sasl.jaas.config': { line: 'for each' },
      'sasl.enabled.mechanisms': ['PLAIN'],
      'sasl.server.max.receive.size': 524_288,
    })
    t.same(inside.read(table, 'SCRAM-SHA-256')['sasl.jaas.config'], { line: 'for one' })
    t.same(inside.read(table, 'PLAIN')['sasl.jaas.config'], { line: 'for each' })
    t.equal(
      new ListenerProperties('PLAINTEXT', given).read(table)['ssl.keystore.location'],
      '/all.pem',
    )
    const own = 'listener.name.in.side.ssl.keystore.location'
    t.equal(inside.nameOf('ssl.keystore.location'), own)
    t.equal(inside.nameOf('ssl.key.password'), 'ssl.key.password')
    const ofScram = 'listener.name.in.side.scram-sha-256.sasl.jaas.config'
    t.equal(inside.nameOf('sasl.jaas.config', 'SCRAM-SHA-256'), ofScram)
  },
)

t.test('a property of a listener is checked as the broker’s is', async (t) => {
  const cases: [name: string, text: string, says: RegExp][] = [
    [
      'listener.name.other.ssl.key.password',
      'x',
      /\.password \(test\): there is no listener OTHER, only PLAINTEXT$/,
    ],
    [
      'listener.name.plaintext.ssl.keystore.locaton',
      'x',
      /unknown property .*; did you mean listener\.name\.plaintext\.ssl\.keystore\.location\?/,
    ],
    [
      'listener.name.plaintext.sasl.server.max.receive.size',
      'much',
      /^INVALID_CONFIG: listener\.name\.plaintext\.sasl\.server\.max\.receive\.size=much \(test\): want /,
    ],
    ['listener.name.plaintext.port', '1', /unknown property listener\.name\.plaintext\.port/],
    [
      'listener.name.plaintext.ssl.key.password',
      'secret'.repeat(10_000),
      /listener\.name\.plaintext\.ssl\.key\.password=\.\.\. \(test\)/,
    ],
  ]
  for (const [name, text, message] of cases)
    t.throws(() => settingsOf({ [name]: text }), { code: 'INVALID_CONFIG', message }, name)
})

t.test('other machines reach only a listener that knows its clients and encrypts', async (t) => {
  const start = (protocol: string, host: string, auth: string, more = {}) =>
    settingsOf({
      listeners: `L://${host}:9092`,
      'listener.security.protocol.map': `L:${protocol}`,
      'ssl.client.auth': auth,
      'sasl.enabled.mechanisms': 'SCRAM-SHA-256',
      ...more,
    }).listeners[0]!
  for (const host of ['0.0.0.0', '10.0.0.1', '[::]', 'kafka.example']) {
    const cases: [protocol: string, auth: string, says: RegExp | undefined][] = [
      ['PLAINTEXT', 'none', /anybody could read, write and delete everything: use SASL_SSL or SSL/],
      ['SSL', 'none', /anybody could .*: use ssl\.client\.auth=required or SASL_SSL/],
      ['SSL', 'requested', /use ssl\.client\.auth=required/],
      ['SSL', 'required', undefined],
      ['SASL_PLAINTEXT', 'none', /anybody on the way could read passwords .*: use SASL_SSL/],
      ['SASL_SSL', 'none', undefined],
    ]
    for (const [protocol, auth, says] of cases) {
      const what = `${protocol} ${auth} ${host}`
      if (says === undefined) t.equal(start(protocol, host, auth).securityProtocol, protocol, what)
      else t.throws(() => start(protocol, host, auth), { code: 'INVALID_CONFIG', message: says })
      const accepted = { 'i.accept.unauthenticated.network': 'true' }
      t.equal(isExposed(start(protocol, host, auth, accepted)), says !== undefined, what)
      t.notOk(isExposed(start(protocol, '', auth, accepted)), 'the override alone opens nothing')
      t.equal(start(protocol, host, auth, accepted).securityProtocol, protocol, what)
      t.equal(start(protocol, '', auth).securityProtocol, protocol, 'an empty host is loopback')
    }
  }
})

t.test(
  'a foreign principal builder is refused, with what to use; Kafka’s own is taken',
  async (t) => {
    const kafkas = 'org.apache.kafka.common.security.authenticator.DefaultKafkaPrincipalBuilder'
    for (const name of [
      'principal.builder.class',
      'listener.name.plaintext.principal.builder.class',
    ]) {
      t.same(settingsOf({ [name]: kafkas }).notes, [], name)
      t.throws(() => settingsOf({ [name]: 'com.example.Builder' }), {
        code: 'INVALID_CONFIG',
        message:
          /com\.example\.Builder .*want only org\.apache.*use ssl\.principal\.mapping\.rules/,
      })
    }
  },
)

t.test('the network is open when a listener or HTTP is, not by the override alone', async (t) => {
  const accepted = { 'i.accept.unauthenticated.network': 'true' }
  t.notOk(isNetworkOpen(settingsOf(accepted)))
  t.ok(isNetworkOpen(settingsOf({ ...accepted, host: '0.0.0.0' })))
  t.ok(isNetworkOpen(settingsOf({ ...accepted, 'http.host': '0.0.0.0' })))
  t.notOk(isNetworkOpen(settingsOf({ ...accepted, 'http.host': '0.0.0.0', 'http.port': '-1' })))
})

t.test('a listener has TLS by its protocol, with properties of its own', async (t) => {
  const { listeners } = settingsOf({
    listeners: 'PLAINTEXT://:1,SSL://:2,OWN://:3',
    'listener.security.protocol.map': 'PLAINTEXT:PLAINTEXT,SSL:SSL,OWN:SSL',
    'ssl.client.auth': 'requested',
    'listener.name.own.ssl.client.auth': 'required',
    'listener.name.own.ssl.enabled.protocols': 'TLSv1.3',
  })
  const [plain, ssl, own] = listeners.map(({ tls }) => tls)
  t.equal(plain, undefined)
  t.match(ssl!.values, {
    'ssl.client.auth': 'requested',
    'ssl.enabled.protocols': ['TLSv1.2', 'TLSv1.3'],
  })
  t.match(own!.values, { 'ssl.client.auth': 'required', 'ssl.enabled.protocols': ['TLSv1.3'] })
  const wrong: [name: string, text: string, says: RegExp][] = [
    ['ssl.enabled.protocols', 'TLSv1.1', /ssl\.enabled\.protocols=TLSv1\.1 .*want one or both of/],
    ['ssl.enabled.protocols', '', /want one or both of TLSv1\.2, TLSv1\.3/],
    ['ssl.client.auth', 'want', /want one of none, requested, required/],
    ['ssl.keystore.type', 'BKS', /want one of JKS, PKCS12, PEM/],
  ]
  for (const [name, text, message] of wrong)
    t.throws(() => settingsOf({ [name]: text }), { code: 'INVALID_CONFIG', message }, name)
})

t.test('only addresses of 127.0.0.0/8, ::1 and localhost are loopback', async (t) => {
  for (const host of ['localhost', '::1', '127.0.0.1', '127.255.255.255'])
    t.ok(isLoopback(host), host)
  const others = [
    '127.0.0.1.example.com',
    '127.0.0.256',
    '127.0.0.01',
    '127.1',
    '0.0.0.0',
    '::',
    '',
  ]
  for (const host of others) t.notOk(isLoopback(host), host)
})
