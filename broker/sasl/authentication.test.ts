// One login in virtual time: when failures are answered, when sessions end, and who may renew them.

import t from '../../protocol/testing/tap.ts'
import { apiVersions } from '../../protocol/api/18_api_versions.ts'
import { metadata } from '../../protocol/api/03_metadata.ts'
import { saslAuthenticate } from '../../protocol/api/36_sasl_authenticate.ts'
import { saslHandshake } from '../../protocol/api/17_sasl_handshake.ts'
import { ProcessLog } from '../process-log.ts'
import { sessionFor } from '../testing/session.ts'
import { VirtualClock } from '../testing/virtual-clock.ts'
import { Attempts } from './attempts.ts'
import { SaslAuthentication, type SaslRules } from './authentication.ts'
import { NO_MESSAGE, Refusal, type Mechanism } from './mechanism.ts'

const SESSION_MS = 10_000
const DELAY_MS = 100

/** Believes every name. `wait MS` takes time, `bad` is refused, `NAME MS` ends. */
function credulous(name: Mechanism['name'], clock: VirtualClock): Mechanism {
  return {
    name,
    // oxlint-disable-next-line require-yield -- one message says it all
    async *converse(message) {
      const [word = '', ms = ''] = message.toString().split(' ')
      if (word === 'wait') await new Promise<void>((resolve) => clock.after(Number(ms), resolve))
      if (word === 'broken') throw new TypeError('a secret')
      if (word === 'wait' || word === 'bad') throw new Refusal('it is bad', { told: 'No.' })
      const end = ms === '' ? {} : { expiresAtMs: clock.now() + Number(ms) }
      return { user: word, lastMessage: NO_MESSAGE, ...end }
    },
  }
}

function opened(rules: Partial<SaslRules> = {}) {
  const clock = new VirtualClock()
  const gone = new AbortController()
  const session = sessionFor({ gone: gone.signal })
  const lines: string[] = []
  const log = new ProcessLog('debug', clock, { write: (line) => lines.push(line) })
  const attempts = new Attempts(log)
  const mechanisms = (['PLAIN', 'OAUTHBEARER'] as const).map((name) => credulous(name, clock))
  const authentication = new SaslAuthentication(session, {
    rules: {
      mechanisms: new Map(mechanisms.map((mechanism) => [mechanism.name, mechanism])),
      receiveBytesMax: 1000,
      sessionMs: new Map([['PLAIN', SESSION_MS]]),
      timeoutMs: 10_000,
      failureDelayMs: DELAY_MS,
      ...rules,
    },
    attempts,
    clock,
    log,
  })
  const logIn = (message: string, mechanism = 'PLAIN') => {
    authentication.admits(saslHandshake.key)
    authentication.shakeHands(mechanism, 1)
    authentication.admits(saslAuthenticate.key)
    return authentication.receive(Buffer.from(message))
  }
  const admits = (key: number) => {
    try {
      return authentication.admits(key)
    } catch (error) {
      return (error as Error).message
    }
  }
  return { clock, gone, session, lines, attempts, authentication, logIn, admits }
}

const NOT_IN = /has to log in/
const ENDED = /has ended/

t.test('a failure is answered at a time that tells nothing of the work it took', async (t) => {
  for (const [message, answeredAfterMs] of [
    ['bad', 100],
    ['wait 7', 100],
    ['wait 99', 100],
    ['wait 130', 200],
  ] as const) {
    const { clock, logIn } = opened()
    let answeredAt = -1
    const answer = logIn(message).then((given) => {
      answeredAt = clock.monotonic()
      return given
    })
    await clock.advance(1_000)
    t.match(await answer, { errorCode: 58, errorMessage: 'No.', isLast: true })
    t.equal(answeredAt, answeredAfterMs, message)
  }
  const { gone, logIn, clock } = opened()
  const answer = logIn('bad')
  await clock.advance(50)
  gone.abort()
  t.match(await answer, { isLast: true }, 'nobody waits for it')
})

t.test('a session ends for requests, and can still be renewed', async (t) => {
  const { clock, session, authentication, logIn, admits } = opened()
  t.match(await logIn('ann'), { errorCode: 0, sessionLifetimeMs: SESSION_MS })
  t.same(session.principal, { type: 'User', name: 'ann' })
  t.equal(authentication.frameBytesMax, undefined)
  await clock.advance(SESSION_MS)
  t.equal(admits(metadata.key), true)
  await clock.advance(1)
  t.match(admits(metadata.key), ENDED)
  t.match(await logIn('ann'), { errorCode: 0, sessionLifetimeMs: SESSION_MS })
  t.equal(admits(metadata.key), true)
})

t.test('a renewal within a second of the last one is an ordinary request', async (t) => {
  const { clock, authentication, logIn, admits } = opened()
  await logIn('ann')
  t.match(await logIn('ann'), { errorCode: 0 }, 'the first may come at once')
  t.equal(admits(saslHandshake.key), true)
  t.match(authentication.shakeHands('PLAIN', 1), { errorCode: 34, isLast: false })
  t.equal(admits(metadata.key), true)
  await clock.advance(1_000)
  t.match(await logIn('ann'), { errorCode: 0 })
})

t.test(
  'messages without headers follow version 0 of the handshake, until they are through',
  async (t) => {
    const { clock, authentication, logIn, admits } = opened()
    t.equal(authentication.takesBareMessage, false)
    authentication.shakeHands('PLAIN', 0)
    t.equal(authentication.takesBareMessage, true)
    t.match(await authentication.receive(Buffer.from('ann')), { errorCode: 0, isLast: false })
    t.equal(authentication.takesBareMessage, false)
    await clock.advance(SESSION_MS)
    t.equal(admits(metadata.key), true)
    await clock.advance(1)
    t.match(admits(metadata.key), ENDED, 'which the client could not be told')
    t.match(await logIn('ann'), { errorCode: 0 }, 'a renewal by version 1')
    t.equal(authentication.takesBareMessage, false)

    const failed = opened()
    failed.authentication.shakeHands('PLAIN', 0)
    const answer = failed.authentication.receive(Buffer.from('bad'))
    await failed.clock.advance(DELAY_MS)
    t.match(await answer, { isLast: true })
    t.equal(failed.authentication.takesBareMessage, false)
  },
)

t.test('what a client may send while it renews its session is bounded', async (t) => {
  const { authentication, logIn, admits } = opened()
  t.equal(authentication.frameBytesMax, 1000)
  await logIn('ann')
  t.equal(authentication.frameBytesMax, undefined)
  admits(saslHandshake.key)
  t.equal(authentication.frameBytesMax, 1000)
})

t.test('a session without an end cannot be renewed', async (t) => {
  const { authentication, logIn } = opened()
  t.match(await logIn('ann', 'OAUTHBEARER'), { errorCode: 0, sessionLifetimeMs: 0 })
  t.match(authentication.shakeHands('OAUTHBEARER', 1), { errorCode: 34, isLast: false })
})

t.test('the shorter of token and rule bounds a session', async (t) => {
  t.match(await opened().logIn('ann 500'), { sessionLifetimeMs: 500 })
  t.match(await opened().logIn('ann 60000'), { sessionLifetimeMs: SESSION_MS })
  t.match(await opened().logIn('ann 60000', 'OAUTHBEARER'), { sessionLifetimeMs: 60_000 })
  const { clock, logIn, admits } = opened()
  await logIn('ann 500', 'OAUTHBEARER')
  await clock.advance(501)
  t.match(admits(metadata.key), ENDED)
})

t.test('a renewal keeps user and mechanism', async (t) => {
  const another = opened()
  await another.logIn('ann')
  const answer = another.logIn('bob')
  await another.clock.advance(DELAY_MS)
  t.match(await answer, {
    errorCode: 58,
    errorMessage: 'Cannot change principals during re-authentication from User.ann: User.bob',
    isLast: true,
  })
  t.equal(another.session.principal.name, 'ann')
  t.match(another.admits(metadata.key), NOT_IN)

  const { authentication, logIn, admits } = opened()
  await logIn('ann')
  admits(saslHandshake.key)
  t.match(authentication.shakeHands('OAUTHBEARER', 1), { errorCode: 0, isLast: false }, 'as Kafka')
  t.match(admits(saslAuthenticate.key), NOT_IN)
})

t.test('while a session is renewed nothing else is admitted', async (t) => {
  const { authentication, logIn, admits } = opened()
  await logIn('ann')
  t.equal(admits(saslHandshake.key), true)
  t.match(admits(metadata.key), NOT_IN)
  authentication.shakeHands('PLAIN', 1)
  t.match(admits(metadata.key), NOT_IN)
  t.equal(authentication.isDone, true)
  t.equal(admits(apiVersions.key), false)
  t.match(admits(saslAuthenticate.key), NOT_IN, 'after that nothing is')
})

t.test('a client has its time for the login, and for each renewal', async (t) => {
  const { clock, authentication, logIn, admits } = opened()
  t.equal(authentication.isOverdue(10_000), false)
  t.equal(authentication.isOverdue(10_001), true)
  await clock.advance(9_000)
  await logIn('ann')
  t.equal(authentication.isOverdue(100_000), false)
  await clock.advance(5_000)
  admits(saslHandshake.key)
  t.equal(authentication.isOverdue(24_000), false)
  t.equal(authentication.isOverdue(24_001), true)
})

t.test('an error in the broker is logged, and tells the client nothing', async (t) => {
  const { clock, logIn, lines } = opened()
  const answer = logIn('broken')
  await clock.advance(DELAY_MS)
  const { errorMessage } = await answer
  t.equal(
    errorMessage,
    'Authentication failed during authentication due to invalid credentials with SASL mechanism PLAIN',
  )
  t.match(lines.join(''), /TypeError: a secret/)
})

t.test('attempts are counted and logged, by listener and mechanism', async (t) => {
  const { attempts, authentication, lines } = opened()
  authentication.shakeHands('x\ny', 1)
  const others = opened({ failureDelayMs: 0 })
  await others.logIn('bad')
  t.same(
    [...attempts],
    [{ listener: 'PLAINTEXT', mechanism: 'other', doneCount: 0, failedCount: 1 }],
  )
  t.same(
    [...others.attempts],
    [{ listener: 'PLAINTEXT', mechanism: 'PLAIN', doneCount: 0, failedCount: 1 }],
  )
  t.match(JSON.parse(lines[0]!), {
    level: 'warn',
    message: 'authentication failed',
    remote: '127.0.0.1',
    listener: 'PLAINTEXT',
    mechanism: 'other',
    reason: 'x\\u{a}y is not offered',
  })
  t.match(JSON.parse(others.lines[0]!), { mechanism: 'PLAIN', reason: 'it is bad' })
})
