// The properties of SASL: what a listener makes of them, and what is refused at start, with which words.

import t from '../../protocol/testing/tap.ts'
import { readSettings } from '../config.ts'

const line = (module: string, options = '') =>
  `org.apache.kafka.common.security.${module} required ${options};`
const PLAIN_LINE = line(
  'plain.PlainLoginModule',
  'username="x" password="y" user_ann="p;\\"" user_b=c',
)

function saslOf(properties: Record<string, string>) {
  const own = { listeners: 'SASL_PLAINTEXT://:9092' }
  return readSettings([{ origin: 'test', properties: { ...own, ...properties } }]).listeners[0]!
    .sasl!
}

t.test('without properties a SASL listener offers SCRAM, a plaintext one nothing', async (t) => {
  t.match(saslOf({}), {
    mechanisms: ['SCRAM-SHA-256', 'SCRAM-SHA-512'],
    receiveBytesMax: 524_288,
    timeoutMs: 10_000,
    failureDelayMs: 100,
    users: new Map(),
    oauth: undefined,
  })
  t.equal(saslOf({ listeners: 'PLAINTEXT://:9092' }), undefined)
})

t.test('users of PLAIN come from its JAAS line, wherever that is', async (t) => {
  const users = new Map([
    ['ann', 'p;"'],
    ['b', 'c'],
  ])
  for (const name of [
    'sasl.jaas.config',
    'listener.name.sasl_plaintext.sasl.jaas.config',
    'listener.name.sasl_plaintext.plain.sasl.jaas.config',
  ]) {
    const sasl = saslOf({ [name]: PLAIN_LINE, 'sasl.enabled.mechanisms': 'PLAIN,SCRAM-SHA-256' })
    t.strictSame(sasl.users, users, name)
  }
  t.equal(saslOf({ 'sasl.jaas.config': PLAIN_LINE }).users.size, 0, 'of a mechanism not offered')
})

t.test('a session is as long as its mechanism says', async (t) => {
  const { sessionMs } = saslOf({
    'connections.max.reauth.ms': '1000',
    'listener.name.sasl_plaintext.scram-sha-512.connections.max.reauth.ms': '2000',
  })
  t.strictSame(
    [...sessionMs],
    [
      ['SCRAM-SHA-256', 1000],
      ['SCRAM-SHA-512', 2000],
    ],
  )
})

t.test('what could let the wrong ones in is refused, and no secret is told', async (t) => {
  const listener = 'listener.name.sasl_plaintext'
  const plain = { 'sasl.enabled.mechanisms': 'PLAIN' }
  const oauth = { 'sasl.enabled.mechanisms': 'OAUTHBEARER' }
  const url = 'sasl.oauthbearer.jwks.endpoint.url'
  const network = { 'i.accept.unauthenticated.network': 'true' }
  const cases: [properties: Record<string, string>, says: RegExp][] = [
    [{ 'sasl.enabled.mechanisms': 'GSSAPI' }, /sasl\.enabled\.mechanisms: GSSAPI is not offered/],
    [{ 'sasl.enabled.mechanisms': 'plain' }, /plain is not offered; any of PLAIN, SCRAM/],
    [
      { [`${listener}.sasl.enabled.mechanisms`]: '' },
      /sasl_plaintext\.sasl\.enabled\.mechanisms is empty/,
    ],
    [
      { ...plain, ...network, listeners: 'SASL_PLAINTEXT://0.0.0.0:1' },
      /could read passwords; use SASL_SSL/,
    ],
    [{ ...plain, 'sasl.jaas.config': 'secret' }, /sasl\.jaas\.config: want: module required/],
    [
      { ...plain, 'sasl.jaas.config': line('plain.PlainLoginModule', 'user_a="secret" b') },
      /after b want =/,
    ],
    [
      { ...plain, 'sasl.jaas.config': line('plain.PlainLoginModule', 'user_a=""') },
      /user_a has no password/,
    ],
    [
      { ...plain, [`${listener}.plain.sasl.jaas.config`]: line('scram.ScramLoginModule') },
      /the module of PLAIN is/,
    ],
    [oauth, /jwks\.endpoint\.url is not set: OAUTHBEARER needs/],
    [{ ...oauth, [url]: 'ftp://x/secret' }, /want an https:, http: or file: URL/],
    [{ ...oauth, [url]: 'x' }, /want an https:, http: or file: URL/],
    [
      {
        ...oauth,
        [url]: 'https://x',
        'sasl.jaas.config': line(
          'oauthbearer.OAuthBearerLoginModule',
          'unsecuredValidatorPrincipalClaimName="secret"',
        ),
      },
      /unsecuredValidatorPrincipalClaimName: tokens need a signature/,
    ],
  ]
  for (const [properties, message] of cases) {
    const error = t.throws(() => saslOf(properties), { code: 'INVALID_CONFIG', message }) as Error
    t.notMatch(error.message, /secret/)
  }
})
