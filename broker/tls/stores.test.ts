// Key stores and trust stores: which are taken, and what each one that is wrong is refused with.

import { createPrivateKey } from 'node:crypto'
import t from '../../protocol/testing/tap.ts'
import { ProcessLog } from '../process-log.ts'
import { VirtualClock } from '../testing/virtual-clock.ts'
import { Authority } from '../../clients/testing/certificates.ts'
import { ListenerTls } from './listener-tls.ts'
import { authority, local, StoreDirectory, tlsConfigFor } from './testing/certified.ts'
import {
  javaStore,
  javaTrustStore,
  jksStore,
  legacyStore,
  listedAuthority,
  opensslStore,
  STORE_PASSWORD,
} from './testing/stores.ts'

type Properties = Readonly<Record<string, string>>

/** @returns of the listener SSL; its logged lines are added to `lines` */
function open(properties: Properties, lines: string[] = []): Promise<ListenerTls> {
  const clock = new VirtualClock(Date.now())
  const log = new ProcessLog('info', clock, { write: (line) => lines.push(line) })
  return ListenerTls.open(tlsConfigFor(properties), { clock, log })
}

function encrypted(key: string, passphrase: string): string {
  const options = { type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase } as const
  return String(createPrivateKey(key).export(options))
}

t.test('a key store is PEM in a file or inline, or PKCS12', async (t) => {
  const files = new StoreDirectory(t)
  const pem = { 'ssl.keystore.type': 'PEM' }
  const password = 'a word'
  const cases: Record<string, Properties> = {
    'a file': files.properties(),
    'the certificate before the key, with text around them': {
      ...pem,
      'ssl.keystore.location': files.write('b.pem', `# mine\n${local.cert}and\n${local.key}`),
    },
    'an encrypted key': {
      ...pem,
      'ssl.keystore.location': files.write('c.pem', encrypted(local.key, password) + local.cert),
      'ssl.key.password': password,
    },
    inline: {
      ...pem,
      'ssl.keystore.key': local.key,
      'ssl.keystore.certificate.chain': local.cert + authority.cert,
    },
    'inline, in one line with blanks, and with \\n': {
      ...pem,
      'ssl.keystore.key': local.key.replaceAll('\n', ' '),
      'ssl.keystore.certificate.chain': local.cert.replaceAll('\n', '\\n'),
    },
    'for one listener only': {
      'listener.name.ssl.ssl.keystore.type': 'pem',
      'listener.name.ssl.ssl.keystore.location': files.write('d.pem', local.key + local.cert),
      'ssl.keystore.location': '/nowhere',
    },
  }
  for (const [what, properties] of Object.entries(cases)) {
    const tls = await open(properties)
    t.match(String(tls.contextOptions.cert), local.cert.trim().split('\n')[3], what)
    t.strictSame(tls.warnings, [], what)
    tls.close()
  }
  const stores = { openssl: opensslStore, java: javaStore }
  for (const [maker, store] of Object.entries(stores)) {
    for (const type of ['PKCS12', 'JKS']) {
      const tls = await open({
        'ssl.keystore.type': type, // Java, too, takes PKCS12 for its default type
        'ssl.keystore.location': files.write(`${maker}.p12`, store),
        'ssl.keystore.password': STORE_PASSWORD,
      })
      t.equal(String(tls.contextOptions.cert).match(/BEGIN CERT/g)?.length, 2, `${maker}: chain`)
      t.strictSame(tls.contextOptions.ca, [], 'the CAs of a key store may not sign for clients')
      tls.close()
    }
  }
})

t.test(
  'a key store that is wrong is refused with its property, its file and the cure',
  async (t) => {
    const files = new StoreDirectory(t)
    const own = files.properties()
    const key = (contents: string | Buffer, more: Properties = {}) => ({
      ...own,
      'ssl.keystore.location': files.write('key.store', contents),
      ...more,
    })
    const without = ({ ...properties }: Properties, ...names: string[]) => {
      return Object.fromEntries(
        Object.entries(properties).filter(([name]) => !names.includes(name)),
      )
    }
    const other = authority.issue({ name: 'other' })
    const p12 = { 'ssl.keystore.type': 'PKCS12', 'ssl.keystore.password': STORE_PASSWORD }
    const cases: [properties: Properties, message: RegExp][] = [
      [{}, /ssl\.keystore\.location: listener SSL needs a file/],
      [{ 'ssl.keystore.location': '/no/such' }, /location=\/no\/such: there is no such file/],
      [{ 'ssl.keystore.location': files.write('x', '') }, /x: no PKCS12 store/],
      [key('hello'), /key\.store: no PEM in the file, expected a private key and certificates/],
      [key(Buffer.alloc(1024 * 1024 + 1)), /more than 1048576 bytes/],
      [key(local.cert), /0 private keys in PEM, expected one/],
      [key(local.key), /no certificate in PEM, expected one/],
      [key(local.key + other.key + local.cert), /2 private keys/],
      [key(other.key + local.cert), /key does not fit the first certificate/],
      [key(local.key + authority.cert + local.cert), /key does not fit the first certificate/],
      [
        key(encrypted(local.key, 'hunter2') + local.cert),
        /^INVALID_CONFIG: ssl\.key\.password: the key is encrypted: set/,
      ],
      [
        key(encrypted(local.key, 'hunter2') + local.cert, { 'ssl.key.password': 'wrong' }),
        /^INVALID_CONFIG: ssl\.key\.password: the password is wrong$/,
      ],
      [
        key(local.key + local.cert.replace(/\n.{20}/, '\nAAAAAAAAAAAAAAAAAAAA')),
        /key\.store: a certificate cannot be read/,
      ],
      [
        key(local.key + local.cert, { 'ssl.keystore.password': 'x' }),
        /ssl\.keystore\.password: PEM has none/,
      ],
      [
        key(local.key + local.cert, { 'ssl.keystore.type': 'JKS' }),
        /file is PEM: set ssl\.keystore\.type=PEM/,
      ],
      [key(opensslStore), /file is PKCS12: set ssl\.keystore\.type=PKCS12/],
      [
        key(jksStore, p12),
        /only Java reads: keytool -importkeystore -srckeystore .*key\.store -dest/,
      ],
      [
        key(opensslStore, { ...p12, 'ssl.keystore.password': 'x' }),
        /^INVALID_CONFIG: ssl\.keystore\.password: the password is wrong$/,
      ],
      [
        without(key(opensslStore, p12), 'ssl.keystore.password'),
        /ssl\.keystore\.password: .*not set/,
      ],
      [
        key(opensslStore, { ...p12, 'ssl.key.password': 'x' }),
        /ssl\.key\.password: a PKCS12 store has one/,
      ],
      [
        key(legacyStore, p12),
        /old encryption: openssl pkcs12 -legacy -in .*key\.store -nodes -out/,
      ],
      [key(opensslStore.subarray(0, 400), p12), /key\.store: no PKCS12 store with a key/],
      [key(javaTrustStore, p12), /key\.store: no PKCS12 store with a key/],
      [
        { 'ssl.keystore.key': local.key, 'ssl.keystore.type': 'PEM' },
        /certificate\.chain: .*not set/,
      ],
      [
        { 'ssl.keystore.key': local.key },
        /ssl\.keystore\.type: key and certificates as text are PEM/,
      ],
      [
        { ...own, 'ssl.keystore.key': local.key },
        /ssl\.keystore\.location=.*ssl\.keystore\.key, too/,
      ],
      [
        { 'listener.name.ssl.ssl.keystore.location': '/no/such' },
        /: listener\.name\.ssl\.ssl\.keystore\.location=\/no\/such/,
      ],
      [
        { ...own, 'ssl.cipher.suites': 'TLS_RSA_WITH_RC4_128_MD5' },
        /ssl\.cipher\.suites: TLS_RSA_WITH_RC4_128_MD5: not served/,
      ],
      [
        { ...own, 'ssl.principal.mapping.rules': 'RULE:(/$1/' },
        /ssl\.principal\.mapping\.rules: rule \(: its pattern is none/,
      ],
    ]
    for (const [properties, message] of cases) {
      const error = await open(properties).catch((refusal: Error) => refusal)
      t.match(error, { code: 'INVALID_CONFIG', message }, String(message))
      for (const secret of [local.key.split('\n')[1]!, 'hunter2', STORE_PASSWORD])
        t.notOk(String((error as Error).message).includes(secret), 'no secret is told')
    }
  },
)

t.test('a trust store is PEM, as a file or inline; others are refused with the cure', async (t) => {
  const files = new StoreDirectory(t)
  const own = { ...files.properties(), 'ssl.client.auth': 'required' }
  const trust = (contents: string | Buffer, more: Properties = {}) => ({
    ...own,
    'ssl.truststore.location': files.write('trust.store', contents),
    ...more,
  })
  const inline = { 'ssl.truststore.certificates': authority.cert + new Authority('2').cert }
  const several = await open({ ...own, ...inline, 'ssl.truststore.location': '' })
  t.equal((several.contextOptions.ca as string[]).length, 2)
  const listed = await open(trust(listedAuthority))
  t.equal((listed.contextOptions.ca as string[]).length, 1, 'what keytool prints is taken')
  for (const tls of [several, listed]) tls.close()
  const cases: [properties: Properties, message: RegExp][] = [
    [{ ...own, 'ssl.truststore.location': '' }, /ssl\.client\.auth=required needs the CAs/],
    [trust('hello'), /trust\.store: no PEM in the file, expected certificates/],
    [trust(local.key), /trust\.store: no certificate in PEM/],
    [trust(jksStore), /keytool -list -rfc -keystore .*trust\.store > .*\.pem/],
    [
      trust(javaTrustStore),
      /PKCS12 or DER, expected PEM: openssl pkcs12 -in .*trust\.store -nokeys/,
    ],
    [
      trust(authority.cert, { 'ssl.truststore.type': 'JKS' }),
      /ssl\.truststore\.type: the certificates are PEM/,
    ],
    [{ ...own, ...inline }, /ssl\.truststore\.location=.*ssl\.truststore\.certificates, too/],
    [trust('-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----'), /cannot be read/],
  ]
  for (const [properties, message] of cases)
    await t.rejects(open(properties), { code: 'INVALID_CONFIG', message }, String(message))
  const unused = await open({ ...own, 'ssl.client.auth': 'none', 'ssl.truststore.location': '/no' })
  unused.close()
})

t.test('a certificate that is out of date is used with a warning', async (t) => {
  const files = new StoreDirectory(t)
  const day = 86_400_000
  const cases: [notBefore: number, notAfter: number, says: RegExp][] = [
    [-2, -1, /has expired/],
    [1, 2, /is not valid yet/],
    [-300, 3, /expires in 3 days/],
    [-300, 0.5, /expires in 1 day/],
  ]
  for (const [from, to, says] of cases) {
    const [notBefore, notAfter] = [from, to].map((days) => new Date(Date.now() + days * day - 5000))
    const identity = authority.issue({ name: 'b', notBefore: notBefore!, notAfter: notAfter! })
    const lines: string[] = []
    const tls = await open(files.properties(identity), lines)
    t.match(tls.warnings, [new RegExp(`the certificate of listener SSL ${says.source}`)])
    t.match(lines.join(), says)
    tls.close()
  }
})

t.test('a CA that is no root is trusted only with its root, and the log says so', async (t) => {
  const lines: string[] = []
  const properties = new StoreDirectory(t).properties(local, local.cert)
  const tls = await open({ ...properties, 'ssl.client.auth': 'requested' }, lines)
  t.match(lines.join(), /no root.*CN=broker/)
  tls.close()
})

t.test("Java's names of cipher suites are OpenSSL's", async (t) => {
  const own = new StoreDirectory(t).properties()
  const suites = {
    TLS_AES_256_GCM_SHA384: 'TLS_AES_256_GCM_SHA384',
    TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384: 'ECDHE-ECDSA-AES256-GCM-SHA384',
    TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256: 'ECDHE-RSA-AES128-SHA256',
    TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA: 'ECDHE-RSA-AES256-SHA',
    TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256: 'ECDHE-RSA-CHACHA20-POLY1305',
    TLS_RSA_WITH_AES_128_GCM_SHA256: 'AES128-GCM-SHA256',
    'ECDHE-RSA-AES128-GCM-SHA256': 'ECDHE-RSA-AES128-GCM-SHA256',
  }
  const tls = await open({ ...own, 'ssl.cipher.suites': Object.keys(suites).join(', ') })
  t.equal(tls.contextOptions.ciphers, Object.values(suites).join(':'))
  tls.close()
  const refused = [
    'TLS_DHE_RSA_WITH_AES_256_GCM_SHA384',
    'PSK-AES256-CBC-SHA',
    'AECDH-NULL-SHA',
    '@SECLEVEL=0',
    'ALL',
  ]
  for (const suite of refused)
    await t.rejects(
      open({ ...own, 'ssl.cipher.suites': suite }),
      { message: /not served here/ },
      suite,
    )
})
