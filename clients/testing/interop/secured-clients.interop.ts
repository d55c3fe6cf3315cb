// Foreign clients on listeners with TLS of our broker: by each mechanism, and by certificate; and what each of them says when
// the password, the CA, the certificate's lifetime or host, the mechanism or the rights are wrong. SASL without TLS: sasl.interop.ts

import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { Broker } from '../../../broker/broker.ts'
import { Client } from '../../index.ts'
import { Authority, type IdentityOptions } from '../certificates.ts'
import { speakers, type Mechanism, type Speak, type Way } from './speaking.ts'
import { KAFKA_FETCH_TIMEOUT_MS, requireKafka, requireTools } from './tools.ts'

requireTools()
requireKafka()
t.setTimeout(KAFKA_FETCH_TIMEOUT_MS + 300_000)

const directory = t.testdir()
const write = (name: string, text: string): string => {
  const path = join(directory, name)
  writeFileSync(path, text, { mode: 0o600 })
  return path
}
const authority = new Authority('the interop CA')
const ca = write('ca.pem', authority.cert)
const otherCa = write('other.pem', new Authority('another CA').cert)
const storeOf = (name: string, options: Partial<IdentityOptions>): string => {
  const { key, cert } = authority.issue({ name, ...options })
  return write(`${name}.pem`, key + cert)
}
const hosts = ['localhost', '127.0.0.1']
const ann = authority.issue({ name: 'ann' })
const own = {
  cert: write('ann.crt', ann.cert),
  key: write('ann.key', ann.key),
  store: write('ann-store.pem', ann.key + ann.cert),
}

const LISTENERS = ['PLAINTEXT', 'SASL_SSL', 'MTLS', 'EXPIRED', 'ELSEWHERE'] as const
const stores = {
  '': storeOf('broker', { hosts }),
  'listener.name.expired.': storeOf('expired', { hosts, notAfter: new Date(Date.now() - 60_000) }),
  'listener.name.elsewhere.': storeOf('elsewhere', { hosts: ['kafka.example.com'] }),
}
const broker = await Broker.start({
  ephemeral: true,
  config: {
    listeners: LISTENERS.map((name) => `${name}://127.0.0.1:0`).join(','),
    'listener.security.protocol.map':
      'PLAINTEXT:PLAINTEXT,SASL_SSL:SASL_SSL,MTLS:SSL,EXPIRED:SASL_SSL,ELSEWHERE:SASL_SSL',
    'ssl.truststore.type': 'PEM',
    'ssl.truststore.location': ca,
    'ssl.keystore.type': 'PEM',
    ...Object.fromEntries(
      Object.entries(stores).map(([prefix, path]) => [`${prefix}ssl.keystore.location`, path]),
    ),
    'listener.name.mtls.ssl.client.auth': 'required',
    'listener.name.mtls.ssl.principal.mapping.rules': 'RULE:^CN=(.*)$/$1/',
    'sasl.enabled.mechanisms': 'PLAIN,SCRAM-SHA-256,SCRAM-SHA-512',
    'authorizer.class.name': 'org.apache.kafka.metadata.authorizer.StandardAuthorizer',
    'super.users': 'User:ANONYMOUS',
  },
})
t.teardown(() => broker.close())
const admin = new Client({ brokers: broker.listeners['PLAINTEXT']! })
t.teardown(() => admin.close())
const PASSWORD = 'ann-secret'
await admin.admin().users.upsert([{ user: 'ann', password: PASSWORD }])
await admin.admin().createTopics(['forbidden'])
const prefixed = { resourceName: 'may-', patternType: 'prefixed', principal: 'User:ann' } as const
await admin
  .admin()
  .acls.create(
    (['topic', 'group'] as const).map(
      (resourceType) =>
        ({ ...prefixed, resourceType, operation: 'all', permission: 'allow' }) as const,
    ),
  )

function wayOf(listener: (typeof LISTENERS)[number], topic: string, other: Partial<Way> = {}): Way {
  const mechanism: Mechanism = 'SCRAM-SHA-512'
  const login = { mechanism, username: 'ann', password: PASSWORD, token: '' }
  return { bootstrap: broker.listeners[listener]!, ca, topic, ...login, ...other }
}

/** What a client says, by what is wrong. */
interface Words {
  readonly password: RegExp
  readonly ca: RegExp
  readonly expired: RegExp
  readonly host: RegExp
  readonly rights: RegExp
  readonly mechanism: RegExp
}

const librdkafka: Words = {
  password: /Authentication failed/,
  ca: /certificate verify failed|broker certificate could not be verified/,
  expired: /certificate has expired|certificate verify failed|could not be verified/,
  host: /hostname mismatch|IP address mismatch|certificate verify failed|could not be verified/i,
  rights: /authorization failed/i,
  mechanism:
    /offers PLAIN, ?SCRAM-SHA-256|supports? .*SCRAM|[Uu]nsupported SASL mechanism|not supported/,
}
const words: Partial<Record<keyof typeof speakers, Words>> = {
  kcat: librdkafka,
  'confluent-kafka, new': librdkafka,
  kafkajs: {
    password: /authentication failed/i,
    ca: /unable to verify the first certificate|self.signed/,
    expired: /certificate has expired/,
    host: /not in the cert's list|does not match certificate/,
    rights: /not authorized|authorization failed/i,
    mechanism: /does not support the requested SASL mechanism/,
  },
  'kafka-python, new': {
    password: /SaslAuthenticationFailed/,
    ca: /CERTIFICATE_VERIFY_FAILED/,
    expired: /certificate has expired/,
    host: /IP address mismatch|not valid for/,
    rights: /TopicAuthorizationFailed/,
    mechanism: /not enabled|UnsupportedSaslMechanism/i,
  },
  "Kafka's own": {
    password: /Authentication failed/,
    ca: /unable to find valid certification path|PKIX path/,
    expired: /NotAfter|expired|validity check failed/i,
    host: /No subject alternative names? (?:present|matching)|No subject alternative/,
    rights: /TopicAuthorizationException|Not authorized to access topics/,
    mechanism: /Client SASL mechanism '\S+' not enabled/,
  },
}

for (const [name, told] of Object.entries(words)) {
  const speak: Speak = speakers[name as keyof typeof speakers]
  const topicOf = (what: string) => `may-${name}-${what}`.replaceAll(/[^\w-]/g, '-')
  const topic = async (what: string): Promise<string> => {
    await admin.admin().createTopics([topicOf(what)])
    return topicOf(what)
  }

  t.test(`${name} writes and reads over TLS by password and by certificate`, async (t) => {
    for (const mechanism of ['PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512'] as const) {
      const way = wayOf('SASL_SSL', await topic(mechanism), { mechanism })
      t.equal(await speak(way), 'written', mechanism)
    }
    t.equal(await speak(wayOf('MTLS', await topic('mtls'), { own })), 'written', 'mTLS')
  })

  t.test(`${name} tells what is wrong`, async (t) => {
    const known = await topic('told')
    const oauth = { mechanism: 'OAUTHBEARER', token: `${'e30'}.${'e30'}.x` } as const
    const cases: [keyof Words, Way][] = [
      ['password', wayOf('SASL_SSL', known, { password: 'wrong' })],
      ['ca', wayOf('SASL_SSL', known, { ca: otherCa })],
      ['expired', wayOf('EXPIRED', known)],
      ['host', wayOf('ELSEWHERE', known)],
      ['rights', wayOf('SASL_SSL', 'forbidden')],
      ...(name === 'kcat' || name === "Kafka's own"
        ? []
        : [['mechanism', wayOf('SASL_SSL', known, oauth)] as [keyof Words, Way]]),
    ]
    for (const [what, way] of cases) {
      const error = await speak(way).then(
        (value) => new Error(`nothing is wrong: ${value}`),
        (error: Error) => error,
      )
      const message = inWords(error)
      t.match(message, told[what], what)
      t.notMatch(message.replaceAll(/"password":"[^"]*"|sasl.password=\S+/g, ''), PASSWORD)
      t.comment(`${what}: ${message.slice(-300)}`)
    }
  })
}

/** Without the command that failed, which has the settings. */
function inWords(error: Error): string {
  return error.message.replace(/^.*? ended with/s, 'ended with')
}
