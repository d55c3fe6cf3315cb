// OAUTHBEARER: tokens that are good, tokens that are not, and a token server that is away.

import { createHmac, generateKeyPairSync, sign, type KeyObject } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import t from '../../protocol/testing/tap.ts'
import { oauthAbort, oauthMessage } from '../../protocol/sasl/oauthbearer.ts'
import { ProcessLog } from '../process-log.ts'
import { VirtualClock } from '../testing/virtual-clock.ts'
import { KeySet } from './key-set.ts'
import { OauthBearer } from './oauthbearer.ts'
import type { OauthConfig } from './sasl-configs.ts'

const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 })
const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const stranger = generateKeyPairSync('rsa', { modulusLength: 2048 })
const jwkOf = (key: KeyObject, kid: string) => ({
  ...key.export({ format: 'jwk' }),
  kid,
  use: 'sig',
})
const keys = [
  jwkOf(rsa.publicKey, 'rsa'),
  jwkOf(ec.publicKey, 'ec'),
  { kty: 'oct', k: Buffer.from('shared').toString('base64url'), kid: 'oct' },
]
const NOW_S = 1_700_000_000

const base64 = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
const claims = { sub: 'ann', aud: 'kafka', iss: 'us', iat: NOW_S, exp: NOW_S + 60 }

function tokenOf(more: object = {}, header: object = {}, key: KeyObject = rsa.privateKey): string {
  const text = `${base64({ alg: 'RS256', kid: 'rsa', ...header })}.${base64({ ...claims, ...more })}`
  return `${text}.${sign('sha256', Buffer.from(text), key).toString('base64url')}`
}

const directory = mkdtempSync(join(tmpdir(), 'millrace-jwks-'))
t.teardown(() => rmSync(directory, { recursive: true, force: true }))
const file = join(directory, 'jwks.json')
writeFileSync(file, JSON.stringify({ keys }))

function opened(url = pathToFileURL(file).href, more: Partial<OauthConfig> = {}) {
  const clock = new VirtualClock(NOW_S * 1000)
  const lines: string[] = []
  const log = new ProcessLog('debug', clock, { write: (line) => lines.push(line) })
  const keySet = new KeySet({ url, refreshMs: 3_600_000, clock, log })
  const config: OauthConfig = {
    'sasl.oauthbearer.clock.skew.seconds': 30,
    'sasl.oauthbearer.expected.audience': ['kafka'],
    'sasl.oauthbearer.expected.issuer': 'us',
    'sasl.oauthbearer.jwks.endpoint.refresh.ms': 3_600_000,
    'sasl.oauthbearer.jwks.endpoint.url': url,
    'sasl.oauthbearer.scope.claim.name': 'scope',
    'sasl.oauthbearer.sub.claim.name': 'sub',
    ...more,
  }
  const mechanism = new OauthBearer({ config, keySet, clock })
  const converse = (token: string, name = '') => {
    const message = oauthMessage(token, {}).toString().replace('n,,', `n,${name},`)
    return mechanism.converse(Buffer.from(message))
  }
  /** @returns the user, or why the token is refused */
  const say = async (token: string, name?: string) => {
    const conversation = converse(token, name)
    const step = await conversation.next()
    if (step.done === true) return step.value
    t.equal(step.value.message.toString(), '{"status":"invalid_token"}')
    const refusal: unknown = await conversation.next(oauthAbort).catch((error: unknown) => error)
    t.match(refusal, { told: '{"status":"invalid_token"}' })
    return step.value.failure!
  }
  return { clock, lines, say, converse }
}

t.test('a signed token says who the client is, and until when', async (t) => {
  const { say } = opened()
  t.match(await say(tokenOf()), { user: 'ann', expiresAtMs: (NOW_S + 60) * 1000 })
  t.match(await say(tokenOf({ aud: ['x', 'kafka'], scope: ['a', 'b'] })), { user: 'ann' })
  t.match(await say(tokenOf(), 'a=ann'), { user: 'ann' }, 'the same identity')
  const text = `${base64({ alg: 'ES256', kid: 'ec' })}.${base64(claims)}`
  const signature = sign('sha256', Buffer.from(text), {
    key: ec.privateKey,
    dsaEncoding: 'ieee-p1363',
  })
  t.match(await say(`${text}.${signature.toString('base64url')}`), { user: 'ann' })
  const own = opened(undefined, { 'sasl.oauthbearer.sub.claim.name': 'client_id' })
  t.match(await own.say(tokenOf({ client_id: 'svc' })), { user: 'svc' })
})

t.test('any other token is refused', async (t) => {
  const { say } = opened()
  const [head, body, signature] = tokenOf().split('.') as [string, string, string]
  const hs256 = `${base64({ alg: 'HS256', kid: 'oct' })}.${base64(claims)}`
  const forged = createHmac('sha256', 'shared').update(hs256).digest('base64url')
  const pem = rsa.publicKey.export({ type: 'spki', format: 'pem' })
  const confused = `${base64({ alg: 'HS256', kid: 'rsa' })}.${base64(claims)}`
  const tokens: Record<string, string> = {
    unsigned: `${base64({ alg: 'none' })}.${body}.`,
    'with the signature cut off': `${head}.${body}.`,
    'signed with a shared secret': `${hs256}.${forged}`,
    'signed with the public key as a secret': `${confused}.${createHmac('sha256', pem).update(confused).digest('base64url')}`,
    'signed by a stranger': tokenOf({}, {}, stranger.privateKey),
    'of an unknown key': tokenOf({}, { kid: 'other' }),
    'of another payload': `${head}.${base64({ ...claims, sub: 'root' })}.${signature}`,
    expired: tokenOf({ exp: NOW_S - 31 }),
    'not valid yet': tokenOf({ nbf: NOW_S + 31 }),
    'for another audience': tokenOf({ aud: 'other' }),
    'of another issuer': tokenOf({ iss: 'them' }),
    'without an end': tokenOf({ exp: undefined }),
    'without a beginning': tokenOf({ iat: undefined }),
    'without a user': tokenOf({ sub: undefined }),
    'of a blank user': tokenOf({ sub: ' ' }),
    'of a user that is a number': tokenOf({ sub: 7 }),
    'with bad scopes': tokenOf({ scope: [1] }),
    'with a critical header': tokenOf({}, { crit: ['x'], x: 1 }),
    'that is none': 'abc',
  }
  for (const [what, token] of Object.entries(tokens)) {
    const failure = await say(token)
    t.match(failure, /^the token is refused: /, what)
    t.notOk(JSON.stringify(failure).includes(signature), `${what}: the log has no token`)
  }
  t.match(await say(tokenOf({ exp: NOW_S - 29 })), { user: 'ann' }, 'clocks may differ')
})

t.test('a token is good for its own user only', async (t) => {
  const { converse } = opened()
  const text =
    "Authentication failed: Client requested an authorization id (root) that is different from the token's principal name (ann)"
  const refusal: unknown = await converse(tokenOf(), 'a=root')
    .next()
    .catch((error: unknown) => error)
  t.match(refusal, { told: text })
})

function listening(server: Server): Promise<string> {
  return new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => {
      resolve(`http://127.0.0.1:${(server.address() as AddressInfo).port}/keys?secret=x`)
    })
  })
}

t.test(
  'a token server that is away fails its clients only, with a line that says so',
  async (t) => {
    let answer: [status: number, body: string] = [503, '']
    let count = 0
    const server = createServer((_request, response) => {
      count++
      response.writeHead(answer[0]).end(answer[1])
    })
    t.teardown(() => server.close())
    const { clock, lines, say } = opened(await listening(server))
    t.match(await say(tokenOf()), /the key set cannot be read/)
    t.match(await say(tokenOf()), /the key set cannot be read/)
    t.equal(count, 1, 'it is not asked for each token')
    t.match(JSON.parse(lines[0]!), { level: 'error', reason: /status 503/, url: /\/keys$/ })
    for (const [body, reason] of [
      ['{', /JSON/],
      ['[]', /no list of keys/],
      [' '.repeat(2 * 1024 * 1024), /too large/],
    ] as const) {
      answer = [200, body]
      await clock.advance(10_001)
      t.match(await say(tokenOf({ exp: NOW_S + 1000 })), /cannot be read/)
      t.match(JSON.parse(lines.at(-1)!), { reason })
    }
    answer = [200, JSON.stringify({ keys: [keys[1], null] })]
    await clock.advance(10_001)
    t.match(
      await say(tokenOf({ exp: NOW_S + 1000 })),
      /no applicable key/,
      'the key is not there yet',
    )
    answer = [200, JSON.stringify({ keys })]
    await clock.advance(10_001)
    t.match(
      await say(tokenOf({ exp: NOW_S + 1000 })),
      { user: 'ann' },
      'a new key is found at once',
    )
    answer = [503, '']
    await clock.advance(3_600_001)
    const late = clock.now() / 1000
    t.match(
      await say(tokenOf({ exp: late + 60 })),
      { user: 'ann' },
      'old keys are better than none',
    )
    t.notMatch(lines.join(''), /secret/)
  },
)
