// The server's side of SASL mechanisms: the RFCs' examples, and clients that must be refused.

import t from '../testing/tap.ts'
import { readOauth } from './oauthbearer.ts'
import { plainMessage, readPlain } from './plain.ts'
import { parseJaas } from './jaas.ts'
import { ScramServer } from './scram-server.ts'
import { ScramClient, scramHmac, scramKeys, type ScramMechanism } from './scram.ts'

const denied = { code: 'SASL_AUTHENTICATION_FAILED' }

/** RFC 7677, section 3. */
const example = {
  clientFirst: 'n,,n=user,r=rOprNGfwEbeRWgbNEkqO',
  serverNonce: '%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0',
  salt: Buffer.from('W22ZaJ0SNY7soEsUEjb6gQ==', 'base64'),
  serverFirst:
    'r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096',
  clientFinal:
    'c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=',
  serverFinal: 'v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=',
}

async function credentialOf(password: string, mechanism: ScramMechanism = 'SCRAM-SHA-256') {
  const kept = { salt: example.salt, iterations: 4096 }
  return { ...kept, ...(await scramKeys(mechanism, password, kept)) }
}

async function started(clientFirst = example.clientFirst) {
  const credential = await credentialOf('pencil')
  const server = new ScramServer('SCRAM-SHA-256', Buffer.from(clientFirst))
  const first = server.first(credential, example.serverNonce).toString()
  return { server, first, final: (text: string) => server.final(credential, Buffer.from(text)) }
}

t.test('the example of RFC 7677 comes out to the letter', async (t) => {
  const { server, first, final } = await started()
  t.equal(server.username, 'user')
  t.equal(server.authorizationId, '')
  t.equal(first, example.serverFirst)
  t.equal(final(example.clientFinal).toString(), example.serverFinal)
})

t.test('the client of this package and the server agree, with odd names', async (t) => {
  for (const mechanism of ['SCRAM-SHA-256', 'SCRAM-SHA-512'] as const) {
    for (const name of ['a', 'ann=b,c', 'ä\u00ad 漢', '=2C']) {
      const credential = await credentialOf('p=ä', mechanism)
      const client = new ScramClient(mechanism, name, 'abc')
      const server = new ScramServer(mechanism, client.first())
      t.equal(server.username, name)
      const final = await client.final(server.first(credential, 'def'), (first) =>
        scramKeys(mechanism, 'p=ä', first),
      )
      t.doesNotThrow(() => client.check(server.final(credential, final)))
    }
  }
})

t.test('a first message that is not to the letter is refused', async (t) => {
  const messages = {
    nothing: '',
    'channel binding': 'p=tls-unique,,n=user,r=abc',
    'a client that would bind': 'y,,n=user,r=abc',
    'an extension that must be understood': 'n,,m=x,n=user,r=abc',
    'no name': 'n,,n=,r=abc',
    'no nonce': 'n,,n=user,r=',
    'a nonce with a blank': 'n,,n=user,r=a b',
    'a bare equals sign': 'n,,n=us=er,r=abc',
    'a lower escape': 'n,,n=us=2cer,r=abc',
    'a NUL': 'n,,n=us\0er,r=abc',
    'a bare comma': 'n,,n=us,er,r=abc',
    'something after it': 'n,,n=user,r=abc,',
    'a bad other identity': 'n,a==,n=user,r=abc',
    'no UTF-8': Buffer.from('6e2c2c6e3dff2c723d616263', 'hex'),
    'ten thousand bytes': `n,,n=${'u'.repeat(10_000)},r=abc`,
  }
  for (const [what, message] of Object.entries(messages))
    t.throws(() => new ScramServer('SCRAM-SHA-256', Buffer.from(message as string)), denied, what)
})

t.test('another identity and extensions are read', async (t) => {
  const message = 'n,a=x=2Cy,n=user,r=abc,tokenauth=true,k=a=b'
  const server = new ScramServer('SCRAM-SHA-256', Buffer.from(message))
  t.equal(server.authorizationId, 'x,y')
  t.strictSame(
    [...server.extensions],
    [
      ['tokenauth', 'true'],
      ['k', 'a=b'],
    ],
  )
})

t.test('a proof is good for one nonce, one channel binding and one password', async (t) => {
  const right = example.clientFinal
  const finals = {
    'a nonce sent twice': right.replace('r=rOpr', 'r=rOprNGfwEbeRWgbNEkqOrOpr'),
    "the client's nonce only": right.replace(example.serverNonce, ''),
    'a nonce with something after it': right.replace(',p=', 'x,p='),
    'another channel binding': right.replace('c=biws', 'c=eSws'),
    'an extension that the proof does not cover': right.replace(',p=', ',x=1,p='),
    'a wrong proof': right.replace('dHzb', 'dHzc'),
    'half a proof': right.replace(/p=.*/, 'p=dHzbZapWIk4=='),
    'no proof': right.replace(/,p=.*/, ''),
    'something after the proof': `${right},x=1`,
    'the server signature': example.serverFinal,
    'the first message again': example.clientFirst,
    nothing: '',
  }
  for (const [what, message] of Object.entries(finals)) {
    const { final } = await started()
    t.throws(() => final(message), denied, what)
  }
  const { server } = await started()
  const other = await credentialOf('Pencil')
  t.throws(() => server.final(other, Buffer.from(right)), denied, 'a wrong password')
  const again = new ScramServer('SCRAM-SHA-256', Buffer.from(example.clientFirst))
  const credential = await credentialOf('pencil')
  again.first(credential, 'another nonce'.replaceAll(' ', ''))
  t.throws(() => again.final(credential, Buffer.from(right)), denied, 'a replay')
})

/** A last message whose proof is right for this nonce, whatever it is. */
async function provenFinal(first: string, nonce: string): Promise<string> {
  const withoutProof = `c=biws,r=${nonce}`
  const { clientKey, storedKey } = await credentialOf('pencil')
  const message = [example.clientFirst.slice('n,,'.length), first, withoutProof].join(',')
  const signature = scramHmac('SCRAM-SHA-256', storedKey, message)
  const proof = Buffer.from(clientKey.map((byte, i) => byte ^ signature[i]!)).toString('base64')
  return `${withoutProof},p=${proof}`
}

t.test(
  'the last message has the whole nonce, before which librdkafka may put its own',
  async (t) => {
    const [, ours = ''] = /r=(.*)$/.exec(example.clientFirst)!
    const theirs = example.serverNonce
    const good = { 'the whole': ours + theirs, 'librdkafka before 2.6.1': ours + ours + theirs }
    for (const [what, nonce] of Object.entries(good)) {
      const { first, final } = await started()
      const message = await provenFinal(first, nonce)
      t.match(final(message).toString(), /^v=/, what)
    }
    const bad = {
      "the server's only": theirs,
      "the client's only": ours,
      "the client's twice": ours + ours,
      "the client's thrice": ours + ours + ours + theirs,
      'the whole twice': ours + theirs + ours + theirs,
      "the server's twice": ours + theirs + theirs,
      'the parts in another order': theirs + ours,
      'something before the whole': `x${ours}${theirs}`,
      'another nonce of the same length before the whole': 'x'.repeat(ours.length) + ours + theirs,
      "half of the client's before the whole": ours.slice(0, 10) + ours + theirs,
      "another client's nonce": 'x'.repeat(ours.length) + theirs,
      'something after the whole': `${ours}${theirs}x`,
      "less than all of the server's": (ours + theirs).slice(0, -1),
      "the client's twice, and less than all of the server's": (ours + ours + theirs).slice(0, -1),
      'other cases': (ours + theirs).toUpperCase(),
      'the nonce of another login': `${ours}${ours}another`,
    }
    for (const [what, nonce] of Object.entries(bad)) {
      const { first, final } = await started()
      const message = await provenFinal(first, nonce)
      t.throws(() => final(message), { ...denied, message: /another nonce/ }, what)
    }
  },
)

t.test('a proof covers the other identity that was asked for', async (t) => {
  const { final } = await started('n,a=admin,n=user,r=rOprNGfwEbeRWgbNEkqO')
  t.throws(() => final(example.clientFinal), denied)
})

t.test('PLAIN has three parts in UTF-8', async (t) => {
  t.same(readPlain(plainMessage('tim', 'tanstaaf')), {
    authorizationId: '',
    username: 'tim',
    password: 'tanstaaf',
  })
  t.match(readPlain(Buffer.from('Ursel\0Kurt\0xipj3plmq')), { authorizationId: 'Ursel' })
  for (const bad of ['', 'a', 'a\0b', '\0a\0b\0c'])
    t.throws(() => readPlain(Buffer.from(bad)), denied)
  t.throws(() => readPlain(Buffer.from([0, 97, 0, 0xff])), denied)
})

t.test('OAUTHBEARER has one token', async (t) => {
  const read = (text: string) => readOauth(Buffer.from(text))
  t.same(read('n,a=ann=2C,\x01auth=Bearer a.b-c_d\x01host=x\x01\x01'), {
    authorizationId: 'ann,',
    token: 'a.b-c_d',
  })
  t.equal(read('n,,\x01port=1\x01auth=bearer  x==\x01\x01').token, 'x==')
  const bad = {
    nothing: '',
    'no pairs': 'n,,\x01\x01',
    'no token': 'n,,\x01host=x\x01\x01',
    'an empty token': 'n,,\x01auth=Bearer \x01\x01',
    'another scheme': 'n,,\x01auth=Basic x\x01\x01',
    'two tokens': 'n,,\x01auth=Bearer x\x01auth=Bearer y\x01\x01',
    'no end': 'n,,\x01auth=Bearer x\x01',
    'channel binding': 'p=x,,\x01auth=Bearer x\x01\x01',
    'a token with a blank': 'n,,\x01auth=Bearer x y\x01\x01',
  }
  for (const [what, text] of Object.entries(bad)) t.throws(() => read(text), denied, what)
})

t.test(
  'a line of JAAS has a module and its options; an error tells none of the values',
  async (t) => {
    const line = 'a.b.PlainLoginModule required username="x" user_x="a\\"; b" user_y=\'c\';'
    const { module, options } = parseJaas(line)
    t.equal(module, 'a.b.PlainLoginModule')
    t.strictSame(Object.fromEntries(options), { username: 'x', user_x: 'a"; b', user_y: 'c' })
    for (const bad of [
      '',
      'x',
      'x required',
      'x sometimes a="secret";',
      'x required a "secret";',
    ]) {
      const error = t.throws(() => parseJaas(bad)) as Error
      t.notMatch(error.message, /secret/)
    }
  },
)
