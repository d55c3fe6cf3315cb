// Apache Kafka with a listener for each way to authenticate, on loopback: TLS, mTLS, SASL with and without TLS, short
// sessions, and certificates that a client must refuse.

import { generateKeyPairSync, sign } from 'node:crypto'
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import type { TlsOptions } from '../../index.ts'
import { Authority, type Identity } from '../certificates.ts'
import { freePort } from './killable-broker.ts'
import { run } from './tools.ts'

/** Maven fetches the jars the first time. */
const START_TIMEOUT_MS = 100_000

/** SASLprep would change this password. `format --add-scram` takes no commas. */
export const PASSWORD = 'p=ä\u00ad a\u0308 ss'
export const USER = 'ann=b'
export const SESSION_MS = 3_000

/** Listener -> its protocol. PLAINTEXT is the brokers' own. */
const protocols = {
  ssl: 'SSL',
  mtls: 'SSL',
  expired: 'SSL',
  elsewhere: 'SSL',
  sasl: 'SASL_PLAINTEXT',
  saslssl: 'SASL_SSL',
  scramonly: 'SASL_SSL',
  short: 'SASL_PLAINTEXT',
} as const

export type ListenerName = keyof typeof protocols | 'plaintext'

export interface SecuredKafka extends AsyncDisposable {
  readonly at: Readonly<Record<ListenerName, string>>
  readonly ca: string
  readonly directory: string
  readonly client: Identity
  readonly tls: TlsOptions
  /** A token whose signature the broker accepts. */
  token(claims?: object): string
}

const script = fileURLToPath(new URL('../../../../bench/peers/kafka.sh', import.meta.url))

export async function startSecuredKafka(): Promise<SecuredKafka> {
  const directory = join(tmpdir(), 'millrace-kafka-secured')
  rmSync(directory, { recursive: true, force: true })
  mkdirSync(directory, { recursive: true })
  const authority = new Authority('the interop CA')
  const keys = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const write = (name: string, text: string): string => {
    const path = join(directory, name)
    writeFileSync(path, text, { mode: 0o600 })
    return path
  }
  const ports: Record<string, number> = {}
  for (const name of ['plaintext', ...Object.keys(protocols)]) ports[name] = await freePort()
  const jwks = write('jwks.json', JSON.stringify({ keys: [jwkOf(keys.publicKey)] }))
  const properties = propertiesOf(ports, write, authority, pathToFileURL(jwks).href)
  const env = {
    KAFKA_PEER_DIR: join(directory, 'kafka'),
    KAFKA_PROPERTIES: properties.join('\n'),
    KAFKA_OPTS: `-Dorg.apache.kafka.sasl.oauthbearer.allowed.urls=${pathToFileURL(jwks).href}`,
    KAFKA_SCRAM: ['SCRAM-SHA-256', 'SCRAM-SHA-512']
      .map((mechanism) => `${mechanism}=[name=${USER},password=${PASSWORD}]`)
      .join('\n'),
  }
  const settings = Object.entries(env).map(([name, value]) => `${name}=${value}`)
  const kafka = async (...args: string[]): Promise<void> => {
    await run('env', [...settings, 'bash', script, ...args], Buffer.of(), START_TIMEOUT_MS)
  }
  await kafka('start', `${ports['plaintext']}`)
  const at = Object.fromEntries(
    Object.entries(ports).map(([name, port]) => [name, `127.0.0.1:${port}`]),
  ) as Record<ListenerName, string>
  return {
    at,
    ca: authority.cert,
    directory,
    client: authority.issue({ name: 'client' }),
    tls: { ca: authority.cert },
    token: (claims = {}) => signedToken(keys.privateKey, claims),
    async [Symbol.asyncDispose]() {
      await kafka('stop')
      rmSync(directory, { recursive: true, force: true })
    },
  }
}

function propertiesOf(
  ports: Readonly<Record<string, number>>,
  write: (name: string, text: string) => string,
  authority: Authority,
  jwksUrl: string,
): string[] {
  const store = (name: string, options: { hosts: string[]; notAfter?: Date }): string => {
    const { cert, key } = authority.issue({ name: 'broker', ...options })
    return write(`${name}.pem`, key + cert)
  }
  const names = Object.entries(protocols)
  const urls = names.map(([name]) => `${name.toUpperCase()}://127.0.0.1:${ports[name]}`)
  const plaintext = `PLAINTEXT://127.0.0.1:${ports['plaintext']}`
  const kinds = names.map(([name, protocol]) => `${name.toUpperCase()}:${protocol}`)
  const saslListeners = names.filter(([, kind]) => kind.startsWith('SASL')).map(([name]) => name)
  const hosts = ['localhost', '127.0.0.1']
  return [
    `listeners=${[plaintext, `CONTROLLER://127.0.0.1:${ports['plaintext']! + 1}`, ...urls].join(',')}`,
    `advertised.listeners=${[plaintext, ...urls].join(',')}`,
    `listener.security.protocol.map=${['PLAINTEXT:PLAINTEXT', 'CONTROLLER:PLAINTEXT', ...kinds].join(',')}`,
    'inter.broker.listener.name=PLAINTEXT',
    'ssl.keystore.type=PEM',
    `ssl.keystore.location=${store('broker', { hosts })}`,
    'ssl.truststore.type=PEM',
    `ssl.truststore.location=${write('ca.pem', authority.cert)}`,
    'listener.name.mtls.ssl.client.auth=required',
    'listener.name.expired.ssl.keystore.type=PEM',
    `listener.name.expired.ssl.keystore.location=${store('expired', { hosts, notAfter: new Date(Date.now() - 60_000) })}`,
    'listener.name.elsewhere.ssl.keystore.type=PEM',
    `listener.name.elsewhere.ssl.keystore.location=${store('elsewhere', { hosts: ['kafka.example.com'] })}`,
    'sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512,OAUTHBEARER',
    'listener.name.scramonly.sasl.enabled.mechanisms=SCRAM-SHA-512',
    `sasl.oauthbearer.jwks.endpoint.url=${jwksUrl}`,
    'sasl.oauthbearer.expected.audience=kafka',
    `listener.name.short.connections.max.reauth.ms=${SESSION_MS}`,
    ...saslListeners.flatMap((name) => jaasOf(name)),
  ]
}

const MODULES = 'org.apache.kafka.common.security'

function jaasOf(listener: string): string[] {
  const plain = `${MODULES}.plain.PlainLoginModule required user_ann="${PASSWORD}" user_bob="${PASSWORD}";`
  const scram = `${MODULES}.scram.ScramLoginModule required;`
  const oauth = `${MODULES}.oauthbearer.OAuthBearerLoginModule required`
  const of = (mechanism: string, jaas: string) =>
    `listener.name.${listener}.${mechanism}.sasl.jaas.config=${propertyText(jaas)}`
  // Listeners without TLS take unsecured tokens, by Kafka's own handler for tests; the others ask the key set.
  const isSigned = listener === 'saslssl'
  return [
    of('plain', plain),
    of('scram-sha-256', scram),
    of('scram-sha-512', scram),
    of('oauthbearer', isSigned ? `${oauth};` : `${oauth} unsecuredLoginStringClaim_sub="x";`),
    ...(isSigned
      ? [
          `listener.name.${listener}.oauthbearer.sasl.server.callback.handler.class=${MODULES}.oauthbearer.OAuthBearerValidatorCallbackHandler`,
        ]
      : []),
  ]
}

/** A properties file is Latin-1, and a backslash escapes. */
export function propertyText(text: string): string {
  return text
    .replaceAll('\\', '\\\\')
    .replaceAll(/[^\x20-\x7e]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`)
}

type PublicKey = ReturnType<typeof generateKeyPairSync>['publicKey']

function jwkOf(key: PublicKey): object {
  const jwk = (key as unknown as { export(o: object): object }).export({ format: 'jwk' })
  return { ...jwk, kid: 'k1', alg: 'RS256', use: 'sig' }
}

const base64 = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url')

const claimsOf = (more: object): object => {
  const now = Math.floor(Date.now() / 1000)
  return { sub: 'ann', aud: 'kafka', iss: 'us', iat: now, exp: now + 3_600, ...more }
}

function signedToken(key: Parameters<typeof sign>[2], more: object): string {
  const text = `${base64({ alg: 'RS256', typ: 'JWT', kid: 'k1' })}.${base64(claimsOf(more))}`
  return `${text}.${sign('sha256', Buffer.from(text), key).toString('base64url')}`
}

/** A token for Kafka's handler for tests. */
export function unsecuredToken(more: object = {}): string {
  return `${base64({ alg: 'none' })}.${base64(claimsOf(more))}.`
}
