// Logging in from the command line: the sources of settings and their order, the meaning of each dialect of property files, and
// that no secret is printed.

import { execFile } from 'node:child_process'
import { chmodSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { PassThrough, Readable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import t from '../../../protocol/testing/tap.ts'
import { FakeBroker } from '../../testing/fake-broker.ts'
import { FakeSasl } from '../../testing/fake-sasl.ts'
import { ca, local } from '../../testing/secured.ts'
import type { CommonOptions } from '../flags.ts'
import type { Io } from '../io.ts'
import { namesFor } from '../completion.ts'
import { run } from '../run.ts'
import { Printed } from '../testing/printed.ts'
import { readJava } from './java.ts'
import { readLibrdkafka } from './librdkafka.ts'
import { loginOptions } from './login.ts'

const PASSWORD = 'pencil-7f3a'

type Env = Record<string, string | undefined>

function ioOf(home: string, env: Env = {}, stdin: Io['stdin'] = Readable.from([])) {
  const [stdout, stderr] = [new Printed(), new Printed()]
  const io: Io = {
    stdin,
    stdout,
    stderr,
    env: { HOME: home, PATH: process.env['PATH'], ...env },
    on: () => {},
    exit: (status) => {
      throw new Error(`the process would end here, with ${status}`)
    },
  }
  return { io, stdout, stderr }
}

/** The client's options from these settings, and the notes about property files. */
async function login(home: string, flags: Partial<CommonOptions>, env: Env = {}) {
  const notes: string[] = []
  const { io } = ioOf(home, env)
  const options = await loginOptions({ ...flags, io }, (text) => notes.push(text), false)
  return { ...options, notes }
}

async function millrace(home: string, words: string[], env: Env = {}, stdin?: Io['stdin']) {
  const { io, stdout, stderr } = ioOf(home, env, stdin)
  const status = await run(words, io)
  return { status, stdout: stdout.text, stderr: stderr.text }
}

t.test('a flag wins over a variable, a variable over a file, a file over a profile', async (t) => {
  const home = t.testdir({
    'client.properties':
      'bootstrap.servers=file:1\nsecurity.protocol=sasl_ssl\nsasl.mechanism=PLAIN\nsasl.username=file\nsasl.password=f',
  })
  const properties = join(home, 'client.properties')
  await millrace(home, [
    'profile',
    'add',
    'p',
    '-b',
    'profile:1',
    '--user',
    'profile',
    '--password-env',
    'SECRET',
  ])
  const env = { SECRET: 'p' }
  t.match(await login(home, {}, env), {
    brokers: 'profile:1',
    sasl: { mechanism: 'scram-sha-256', username: 'profile', password: 'p' },
  })
  t.match(await login(home, { properties }, env), {
    brokers: 'file:1',
    sasl: { mechanism: 'plain', username: 'file', password: 'f' },
    tls: {},
  })
  const variables = {
    ...env,
    MILLRACE_USER: 'variable',
    MILLRACE_PASSWORD: 'v',
    MILLRACE_BROKERS: 'v:1',
  }
  t.match(await login(home, { properties }, variables), {
    brokers: 'v:1',
    sasl: { mechanism: 'plain', username: 'variable', password: 'v' },
  })
  const flags = { properties, user: 'flag', brokers: 'flag:1', sasl: 'scram-sha-512' }
  t.match(await login(home, flags, variables), {
    brokers: 'flag:1',
    sasl: { mechanism: 'scram-sha-512', username: 'flag', password: 'v' },
  })
  t.match(await login(home, { profile: 'none' }), {
    brokers: '127.0.0.1:9092',
    sasl: undefined,
    tls: undefined,
  })
  const X = [
    ['sasl.username', 'x'],
    ['security.protocol', 'SASL_PLAINTEXT'],
    ['sasl.mechanisms', 'PLAIN'],
  ] as const
  t.match(await login(home, { properties, X }, variables), {
    tls: undefined,
    sasl: { username: 'x', password: 'v' },
  })
  await t.rejects(login(home, { X: [['sasl.password', 'x']] }), {
    message: /-X sasl\.password: a secret is no argument: .* MILLRACE_PASSWORD/,
  })
})

t.test('property files of librdkafka mean what they mean there', async (t) => {
  const home = t.testdir({
    full: `# a comment
metadata.broker.list=a:1,b:2
security.protocol=SASL_SSL
sasl.mechanisms=SCRAM-SHA-512
sasl.username=ann
sasl.password=${PASSWORD}
ssl.ca.location=ca.pem
ssl.endpoint.identification.algorithm=none
client.id=shop
statistics.interval.ms=1000
topic.acks=all
`,
    oidc: `security.protocol=sasl_ssl
sasl.mechanism=OAUTHBEARER
sasl.oauthbearer.method=oidc
sasl.oauthbearer.client.id=id
sasl.oauthbearer.client.secret=${PASSWORD}
sasl.oauthbearer.token.endpoint.url=https://idp.example.com/token
sasl.oauthbearer.extensions=logicalCluster=lkc-1,identityPoolId=pool-2
`,
    gssapi: 'security.protocol=sasl_plaintext\nsasl.username=ann',
    misspelt: 'security.protokol=ssl',
    crl: 'security.protocol=ssl\nssl.crl.location=x.pem',
    directory: 'security.protocol=ssl\nssl.ca.location=.',
    'no-equals': 'security.protocol ssl',
    plaintext: 'bootstrap.servers=a:1\nsasl.username=ann',
  })
  const notes: string[] = []
  const read = (name: string) => readLibrdkafka(join(home, name), (text) => notes.push(text))
  t.match(read('full'), {
    brokers: 'a:1,b:2',
    clientName: 'shop',
    tls: true,
    ca: { file: 'ca.pem' },
    verifyHostName: false,
    sasl: 'scram-sha-512',
    user: 'ann',
    password: { text: PASSWORD },
  })
  t.strictSame(notes, ['without effect here: statistics.interval.ms, topic.acks'])
  t.match(read('oidc'), {
    sasl: 'oauthbearer',
    tokenUrl: 'https://idp.example.com/token',
    clientId: 'id',
    clientSecret: { text: PASSWORD },
    extensions: { logicalCluster: 'lkc-1', identityPoolId: 'pool-2' },
  })
  t.match(read('plaintext'), { brokers: 'a:1', tls: false })
  t.equal(read('plaintext').user, undefined, 'without SASL nobody logs in')
  for (const [name, message] of [
    ['gssapi', /gssapi:1: without sasl\.mechanism librdkafka means GSSAPI/],
    ['misspelt', /misspelt:1: librdkafka has no property security\.protokol/],
    ['crl', /crl:2: ssl\.crl\.location: there are no revocation lists here/],
    ['directory', /ssl\.ca\.location: \. is a directory/],
    ['no-equals', /no-equals:1: want property=value/],
    ['absent', /absent cannot be read \(ENOENT\)/],
  ] as const)
    t.throws(() => read(name), { exit: 'usage', message })
})

t.test("property files of Java's clients mean what they mean there", async (t) => {
  const oneLine = (pem: string) => pem.trim().replaceAll('\n', ' ')
  const module = 'org.apache.kafka.common.security'
  const home = t.testdir({
    scram: `bootstrap.servers=a:1
security.protocol=SASL_SSL
sasl.mechanism=SCRAM-SHA-256
sasl.jaas.config=${module}.scram.ScramLoginModule required \\
  username="an\\\\"n" \\
  password='${PASSWORD}';
ssl.truststore.type=PEM
ssl.truststore.certificates=${oneLine(ca)}
ssl.endpoint.identification.algorithm=
request.timeout.ms=1
my.own=1
`,
    mtls: `security.protocol=SSL
ssl.keystore.type=PEM
ssl.keystore.location=both.pem
ssl.key.password=${PASSWORD}
`,
    inline: `security.protocol=SSL
ssl.keystore.type=PEM
ssl.keystore.key=${oneLine(local.key)}
ssl.keystore.certificate.chain=${oneLine(local.cert)}
`,
    oauth: `security.protocol=SASL_SSL
sasl.mechanism=OAUTHBEARER
sasl.oauthbearer.token.endpoint.url=https://idp.example.com/token
sasl.jaas.config=${module}.oauthbearer.OAuthBearerLoginModule required clientId="id" clientSecret="${PASSWORD}" scope="s" extension_logicalCluster="lkc-1";
`,
    gssapi: 'security.protocol=SASL_SSL',
    jks: 'security.protocol=SSL\nssl.truststore.location=trust.jks\nssl.truststore.password=x',
    'jks-key': 'security.protocol=SSL\nssl.keystore.location=HOME/key.jks',
    'key.jks': Buffer.from('feedfeed00000002', 'hex').toString('latin1'),
    iam: `security.protocol=SASL_SSL\nsasl.mechanism=AWS_MSK_IAM\nsasl.jaas.config=software.amazon.msk.auth.iam.IAMLoginModule required;`,
    krb: `security.protocol=SASL_SSL\nsasl.mechanism=PLAIN\nsasl.jaas.config=com.sun.security.auth.module.Krb5LoginModule required;`,
    'no-semicolon': `security.protocol=SASL_SSL\nsasl.mechanism=PLAIN\nsasl.jaas.config=${module}.plain.PlainLoginModule required username="a"`,
    providers: `config.providers=env,dir
config.providers.env.class=org.apache.kafka.common.config.provider.EnvVarConfigProvider
config.providers.dir.class=org.apache.kafka.common.config.provider.DirectoryConfigProvider
security.protocol=SASL_SSL
sasl.mechanism=PLAIN
sasl.jaas.config=${module}.plain.PlainLoginModule required username="\${env:NAME}" password="\${dir:HOME:password}";`,
    password: PASSWORD,
    'no-variable': `config.providers=env
config.providers.env.class=org.apache.kafka.common.config.provider.EnvVarConfigProvider
client.id=\${env:ABSENT}`,
    'no-provider': 'config.providers=vault\nconfig.providers.vault.class=com.example.Vault',
    escape: '# \\u00\nclient.id=\\u00e',
  })
  const notes: string[] = []
  const jksKey = join(home, 'jks-key')
  writeFileSync(jksKey, readFileSync(jksKey, 'utf8').replace('HOME', home))
  const providers = join(home, 'providers')
  writeFileSync(providers, readFileSync(providers, 'utf8').replace('HOME', home))
  const env = { NAME: 'ann' }
  const read = (name: string) => readJava(join(home, name), env, (text) => notes.push(text))
  t.match(read('providers'), { user: 'ann', password: { text: PASSWORD } })
  const scram = read('scram')
  t.match(scram, {
    brokers: 'a:1',
    tls: true,
    verifyHostName: false,
    sasl: 'scram-sha-256',
    user: 'an"n',
    password: { text: PASSWORD },
  })
  t.strictSame(scram.ca, { text: ca }, 'in one line, as Kafka takes it')
  t.match(notes, [
    /without effect here: request\.timeout\.ms$/,
    /unknown to Kafka's clients: my\.own$/,
  ])
  t.match(read('mtls'), {
    cert: { file: 'both.pem' },
    certKey: { file: 'both.pem' },
    keyPassword: { text: PASSWORD },
  })
  t.strictSame(read('inline').certKey, { text: local.key })
  t.match(read('oauth'), {
    sasl: 'oauthbearer',
    clientId: 'id',
    clientSecret: { text: PASSWORD },
    scope: 's',
    extensions: { logicalCluster: 'lkc-1' },
  })
  for (const [name, message] of [
    ['gssapi', /sasl\.mechanism: without it Kafka's clients mean GSSAPI/],
    [
      'jks',
      /ssl\.truststore\.type: only PEM can be read here: `keytool -list -rfc -keystore trust\.jks > ca\.pem`/,
    ],
    [
      'jks-key',
      /`keytool -importkeystore -srckeystore .*key\.jks -destkeystore .*key\.jks\.p12 -deststoretype PKCS12`/,
    ],
    ['iam', /AWS_MSK_IAM works as oauthbearer/],
    ['krb', /Krb5LoginModule is not known here/],
    ['no-semicolon', /with a semicolon/],
    ['escape', /escape: line 2: \\u wants four digits/],
    ['no-variable', /no-variable: client\.id: \$\{env:ABSENT\}: the environment has no ABSENT/],
    ['no-provider', /there are no classes of Java here, only org/],
  ] as const)
    t.throws(() => read(name), { exit: 'usage', message })
})

t.test('a PEM store with a key and its certificate serves as both', async (t) => {
  const home = t.testdir({ 'both.pem': local.key + local.cert })
  const path = join(home, 'both.pem')
  const { tls } = await login(home, { cert: path, certKey: path } as Partial<CommonOptions>)
  const { Client } = await import('../../client.ts')
  await new Client({ brokers: 'k:1', tls }).close()
  t.match(tls, { cert: (local.key + local.cert).trim() })
})

t.test(
  'profiles are saved for their user alone, without a secret, and refused when others may read them',
  async (t) => {
    const home = t.testdir({ 'client.properties': '' })
    const path = join(home, '.config', 'millrace', 'profiles.json')
    const add = [
      'profile',
      'add',
      'prod',
      '-b',
      'k:9093',
      '--tls',
      '--user',
      'ann',
      '--password-env',
      'PW',
    ]
    t.match(await millrace(home, add, { MILLRACE_PASSWORD: PASSWORD }), {
      status: 0,
      stderr: /prod is saved, and in use/,
    })
    t.match(await millrace(home, ['profile', 'add', 'other', '-F', 'client.properties']), {
      status: 0,
    })
    if (process.platform !== 'win32') t.equal(statSync(path).mode & 0o777, 0o600)
    t.notMatch(readFileSync(path, 'utf8'), PASSWORD)
    t.match(JSON.parse(readFileSync(path, 'utf8')), {
      current: 'prod',
      profiles: {
        prod: { brokers: 'k:9093', tls: true, user: 'ann', passwordEnv: 'PW' },
        other: { properties: /^\/.*client\.properties$/ },
      },
    })
    const listed = await millrace(home, ['profile', 'ls', '--json'])
    t.match(
      listed.stdout
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line) as object),
      [
        { profile: 'prod', inUse: '*', brokers: 'k:9093', tls: 'tls', user: 'ann' },
        { profile: 'other', inUse: '' },
      ],
    )
    t.match(await millrace(home, ['profile', 'use', 'other']), { status: 0 })
    t.strictSame(
      (await millrace(home, ['profile', 'show', 'prod'])).stdout,
      'SETTING      VALUE\nbrokers      k:9093\ntls          true\nuser         ann\npasswordEnv  PW\n',
    )
    const other = await millrace(home, ['profile', 'info', '--json'])
    t.match(JSON.parse(other.stdout), { setting: 'properties', value: /client\.properties$/ })
    const named = await millrace(home, ['profile', 'show'], { MILLRACE_PROFILE: 'prod' })
    t.match(named.stdout, /k:9093/)
    t.match(await millrace(home, ['profile', 'show', 'nope']), { status: 3 })
    const saved = readFileSync(path, 'utf8')
    writeFileSync(path, saved.replace('"passwordEnv": "PW"', `"password": "${PASSWORD}"`))
    t.match(await millrace(home, ['profile', 'show', 'prod']), { stdout: /password +\.\.\.\n/ })
    writeFileSync(path, saved)
    t.match(await millrace(home, ['profile', 'use', 'nope']), {
      status: 3,
      stderr: /no profile nope; there are prod, other/,
    })
    t.match(await login(home, { profile: 'prod' }, { PW: 'x' }), {
      tls: {},
      sasl: { password: 'x' },
    })
    await t.rejects(login(home, { profile: 'prod' }), { message: /the environment has no PW/ })
    t.match(await millrace(home, ['profile', 'rm', 'other']), { status: 0 })
    t.match(await login(home, {}), { brokers: '127.0.0.1:9092' })
    t.match(await millrace(home, ['profile', 'show']), {
      status: 3,
      stderr: /no profile is in use/,
    })
    t.match(await millrace(home, ['profile', 'add', 'x', '-X', 'sasl.password=x']), { status: 2 })
    t.match(await millrace(home, ['profile', 'add', 'x', '--sasl', 'gssapi']), {
      status: 2,
      stderr: /no GSSAPI/,
    })
    t.match(await millrace(home, ['profile', 'add', 'a b']), { status: 2 })
    if (process.platform !== 'win32') {
      chmodSync(path, 0o640)
      t.match(await millrace(home, ['topic', 'ls']), {
        status: 2,
        stderr: /others may read .*: chmod 600/,
      })
      chmodSync(path, 0o600)
    }
    writeFileSync(path, '{"profiles": {"a": 1')
    t.match(await millrace(home, ['profile', 'ls']), {
      status: 2,
      stderr: /is no file of profiles/,
    })
  },
)

t.test('tokens come from a command, or for client credentials', async (t) => {
  const requests: string[] = []
  const server = createServer((request, response) => {
    let body = ''
    request.on('data', (chunk) => (body += String(chunk)))
    request.on('end', () => {
      requests.push(`${request.headers.authorization} ${body}`)
      const isKnown = request.headers.authorization === `Basic ${btoa(`id:${PASSWORD}`)}`
      response.statusCode = isKnown ? 200 : 401
      response.end(
        JSON.stringify(
          isKnown ? { access_token: 'abc', expires_in: 60 } : { error: 'invalid_client' },
        ),
      )
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => server.close())
  const tokenUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}/token`
  const home = t.testdir({ secret: `${PASSWORD}\n`, wrong: 'wrong' })
  const flags = {
    tokenUrl,
    clientId: 'id',
    clientSecretFile: join(home, 'secret'),
    scope: 'a b',
    extensions: 'logicalCluster=lkc-1',
  }
  const tokenBy = async (given: object) => {
    const { sasl } = await login(home, given)
    if (sasl?.mechanism !== 'oauthbearer') throw new Error('no token')
    return await sasl.token()
  }
  const token = await tokenBy(flags)
  t.match(token, { value: 'abc', extensions: { logicalCluster: 'lkc-1' } })
  t.ok(token.expiresAt > Date.now() && token.expiresAt <= Date.now() + 60_000)
  t.match(requests[0], 'grant_type=client_credentials&scope=a+b')
  await t.rejects(tokenBy({ ...flags, clientSecretFile: join(home, 'wrong') }), {
    exit: 'notAuthorised',
    message: /gives no token: 401, invalid_client/,
  })
  await t.rejects(tokenBy({ ...flags, tokenUrl: 'http://idp.example.com/' }), {
    message: /must begin with https/,
  })
  await t.rejects(tokenBy({ ...flags, tokenUrl: 'http://127.0.0.1:1/' }), {
    exit: 'unreachable',
    message: /cannot be asked for a token/,
  })
  await t.rejects(tokenBy({ tokenUrl }), { message: /needs --client-id/ })
  await t.rejects(tokenBy({ sasl: 'oauthbearer' }), { message: /needs --token-command/ })

  const jwt = `e30.${Buffer.from('{"exp":4102444800}').toString('base64url')}.`
  t.match(await tokenBy({ tokenCommand: `echo ${jwt}` }), {
    value: jwt,
    expiresAt: 4_102_444_800_000,
  })
  const json = { access_token: 'x', expiresAt: 4_102_444_800_000 }
  t.match(await tokenBy({ tokenCommand: `echo '${JSON.stringify(json)}'` }), {
    value: 'x',
    expiresAt: json.expiresAt,
  })
  await t.rejects(tokenBy({ tokenCommand: `echo ${PASSWORD}; exit 3` }), {
    message: 'the token: its command ended with 3',
  })
  await t.rejects(tokenBy({ tokenCommand: 'true' }), { message: /no token in the answer/ })
})

t.test('the command line logs in, says what is wrong, and prints no secret', async (t) => {
  await using broker = await FakeBroker.start(local)
  broker.createTopic('orders')
  new FakeSasl(broker, { mechanisms: ['SCRAM-SHA-256'], users: { ann: PASSWORD } })
  const home = t.testdir({ 'ca.pem': ca, pw: `${PASSWORD}\n` })
  const flags = ['-b', broker.bootstrap, '--ca', join(home, 'ca.pem'), '--user', 'ann']
  const printed: string[] = []
  const ls = async (words: string[], env: Env = {}, stdin?: Io['stdin']) => {
    const ended = await millrace(home, ['topic', 'ls', ...words], env, stdin)
    printed.push(ended.stdout, ended.stderr)
    return ended
  }
  t.match(await ls(flags, { MILLRACE_PASSWORD: PASSWORD }), { status: 0, stdout: /orders/ })
  t.match(await ls([...flags, '--password-file', join(home, 'pw'), '-v']), {
    status: 0,
    stdout: /orders/,
  })
  const variables = {
    MILLRACE_BROKERS: broker.bootstrap,
    MILLRACE_CA: join(home, 'ca.pem'),
    MILLRACE_USER: 'ann',
    MILLRACE_PASSWORD: PASSWORD,
  }
  t.match(await ls([], variables), { status: 0, stdout: /orders/ })
  const X = [
    '-X',
    'security.protocol=SASL_SSL',
    '-X',
    'sasl.mechanism=SCRAM-SHA-256',
    '-X',
    'sasl.username=ann',
    '-X',
    `ssl.ca.location=${join(home, 'ca.pem')}`,
  ]
  t.match(await ls(['-b', broker.bootstrap, ...X], { MILLRACE_PASSWORD: PASSWORD }), {
    status: 0,
    stdout: /orders/,
  })

  const terminal = Object.assign(new PassThrough(), { isTTY: true, setRawMode: () => terminal })
  terminal.write(`${PASSWORD}\n`)
  const asked = await ls(flags, {}, terminal)
  t.match(asked, { status: 0, stdout: /orders/, stderr: /password for ann: / })

  t.match(await ls(flags), {
    status: 2,
    stderr: /there is no password for ann: set MILLRACE_PASSWORD/,
  })
  t.match(await ls([...flags, '--password', 'x']), {
    status: 2,
    stderr: /a password is no argument/,
  })
  t.match(await ls([...flags, '-v'], { MILLRACE_PASSWORD: `${PASSWORD}x` }), {
    status: 4,
    stderr: /refuses this client by SCRAM-SHA-256/,
  })
  t.match(await ls([...flags, '--sasl', 'plain'], { MILLRACE_PASSWORD: PASSWORD }), {
    status: 4,
    stderr: /the broker offers SCRAM-SHA-256; PLAIN was asked for/,
  })
  t.match(
    await ls(['-b', broker.bootstrap, '--tls', '--user', 'ann'], { MILLRACE_PASSWORD: PASSWORD }),
    {
      status: 5,
      stderr: /CA that is not trusted here/,
    },
  )
  t.match(await ls([...flags, '--ca', join(home, 'pw')], { MILLRACE_PASSWORD: PASSWORD }), {
    status: 2,
    stderr: /tls\.ca is a string, expected the contents of a PEM file/,
  })
  t.match(await ls(['--sasl', 'plain']), { status: 2, stderr: /plain needs a user/ })
  t.match(await ls(['--profile', 'nope']), {
    status: 3,
    stderr: /there is no profile nope; there are none/,
  })
  t.strictSame(
    printed.filter((text) => text.includes(PASSWORD)),
    [],
  )
})

t.test('completion offers the flags to log in, and asks the broker that they name', async (t) => {
  await using broker = await FakeBroker.start(local)
  broker.createTopic('orders')
  new FakeSasl(broker, { mechanisms: ['SCRAM-SHA-256'], users: { ann: PASSWORD } })
  const home = t.testdir({ 'ca.pem': ca })
  const env = {
    MILLRACE_BROKERS: broker.bootstrap,
    MILLRACE_CA: join(home, 'ca.pem'),
    MILLRACE_USER: 'ann',
    MILLRACE_PASSWORD: PASSWORD,
  }
  const names = (more: Env, ...asked: string[]) => namesFor(asked, ioOf(home, more).io, 60_000)
  t.strictSame(await names(env, 'tail', ''), ['orders'])
  const { MILLRACE_USER: user, ...others } = env
  t.strictSame(await names(others, 'tail', '--user', user, ''), ['orders'])
  t.strictSame(await names(env, 'profile', ''), [])
  const cli = fileURLToPath(new URL('../main.js', import.meta.url))
  const typed = [cli, 'complete', '--', 'tail', '--c']
  const { stdout } = await promisify(execFile)(process.execPath, typed, { env: { HOME: home } })
  for (const flag of ['--ca', '--cert', '--cert-key', '--client-id', '--command-config'])
    t.match(stdout, `${flag}\t`)
})
