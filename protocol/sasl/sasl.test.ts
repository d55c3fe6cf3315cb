// The messages of SASL mechanisms: the RFCs' examples, and what is not believed of a server.

import t from '../testing/tap.ts'
import { KafkaError } from '../errors.ts'
import { oauthMessage } from './oauthbearer.ts'
import { plainMessage } from './plain.ts'
import { ScramClient, scramKeys, type ScramFirst, type ScramMechanism } from './scram.ts'

/** RFC 7677, section 3. */
const example = {
  clientNonce: 'rOprNGfwEbeRWgbNEkqO',
  clientFirst: 'n,,n=user,r=rOprNGfwEbeRWgbNEkqO',
  nonce: 'rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0',
  salt: 'W22ZaJ0SNY7soEsUEjb6gQ==',
  proof: 'dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=',
  signature: '6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=',
}
const serverFirst = `r=${example.nonce},s=${example.salt},i=4096`

const keysOf =
  (password: string, mechanism: ScramMechanism = 'SCRAM-SHA-256') =>
  (first: ScramFirst) =>
    scramKeys(mechanism, password, first)

async function afterFinal(): Promise<ScramClient> {
  const client = new ScramClient('SCRAM-SHA-256', 'user', example.clientNonce)
  await client.final(Buffer.from(serverFirst), keysOf('pencil'))
  return client
}

t.test('the example of RFC 7677 comes out to the letter', async (t) => {
  const client = new ScramClient('SCRAM-SHA-256', 'user', example.clientNonce)
  t.equal(client.first().toString(), example.clientFirst)
  const final = await client.final(Buffer.from(serverFirst), keysOf('pencil'))
  t.equal(final.toString(), `c=biws,r=${example.nonce},p=${example.proof}`)
  t.doesNotThrow(() => client.check(Buffer.from(`v=${example.signature}`)))
  t.doesNotThrow(() => client.check(Buffer.from(`v=${example.signature},ext=1`)))
})

t.test('a comma and an equals sign in a name are escaped', async (t) => {
  const client = new ScramClient('SCRAM-SHA-512', 'a=b,c=2C', 'x')
  t.equal(client.first().toString(), 'n,,n=a=3Db=2Cc=3D2C,r=x')
})

t.test('a server is not believed before it has proved that it knows the keys', async (t) => {
  const firsts = {
    'another nonce': serverFirst.replace('rOpr', 'rOps'),
    'a nonce that it adds nothing to': serverFirst.replace(example.nonce, example.clientNonce),
    'few iterations': serverFirst.replace('i=4096', 'i=4095'),
    'more iterations than a client can do': serverFirst.replace('i=4096', 'i=4294967295'),
    'no iterations': serverFirst.replace('i=4096', 'i=-1'),
    'an extension that must be understood': `m=x,${serverFirst}`,
    'no salt': serverFirst.replace(example.salt, ''),
    'a signature at once': `v=${example.signature}`,
    nothing: '',
    'ten thousand bytes': serverFirst + ','.repeat(10_000),
  }
  for (const [what, message] of Object.entries(firsts)) {
    const client = new ScramClient('SCRAM-SHA-256', 'user', example.clientNonce)
    const error = await client
      .final(Buffer.from(message), keysOf('pencil'))
      .catch((e: unknown) => e)
    t.ok(error instanceof KafkaError && !error.retriable, what)
    t.match(error, { code: 'SASL_AUTHENTICATION_FAILED', message: /not to be trusted: it/ }, what)
  }
  const finals = {
    'a wrong signature': `v=${example.signature.replace('6rri', '6rrj')}`,
    'half a signature': `v=${example.signature.slice(0, 20)}`,
    'no signature': 'v=',
    'an error': 'e=other-error',
    nothing: '',
  }
  for (const [what, message] of Object.entries(finals)) {
    const client = await afterFinal()
    t.throws(
      () => client.check(Buffer.from(message)),
      { code: 'SASL_AUTHENTICATION_FAILED', message: /not to be trusted/ },
      what,
    )
  }
  const early = new ScramClient('SCRAM-SHA-256', 'user', example.clientNonce)
  t.throws(
    () => early.check(Buffer.from('v=')),
    { code: 'SASL_AUTHENTICATION_FAILED' },
    'too early',
  )
})

t.test('PLAIN and OAUTHBEARER say what their RFCs say', async (t) => {
  t.equal(plainMessage('tim', 'tanstaaftanstaaf').toString(), '\0tim\0tanstaaftanstaaf')
  t.equal(
    oauthMessage('vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg==', { host: 'server' }).toString(),
    'n,,\x01auth=Bearer vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg==\x01host=server\x01\x01',
  )
})
