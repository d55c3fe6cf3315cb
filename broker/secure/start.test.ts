// `millrace start --secure` from the first start on: clients log in with the files that it made, strangers do not, and the
// password is nowhere but in those files and on the terminal.

import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { createServer, type AddressInfo } from 'node:net'
import { networkInterfaces } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { Kafka, logLevel, type KafkaConfig } from 'kafkajs'
import t from '../../protocol/testing/tap.ts'
import { Terminal } from '../../clients/cli/testing/terminal.ts'
import { outcome } from '../../clients/testing/secured.ts'

const cli = fileURLToPath(new URL('../../clients/cli/main.js', import.meta.url))

interface Banner {
  readonly listeners: { readonly PLAINTEXT?: string; readonly SASL_SSL: string }
  readonly secure: {
    readonly directory: string
    readonly password?: string
    readonly plaintext: readonly string[]
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  return port
}

const children: ChildProcessWithoutNullStreams[] = []
t.teardown(() => children.forEach((child) => child.kill('SIGKILL')))

async function start(...args: string[]) {
  const command = [cli, 'start', '--secure', '--http', 'off', '--json', ...args]
  const child = spawn('env', ['-u', 'NODE_OPTIONS', process.execPath, ...command])
  children.push(child)
  let logged = ''
  child.stderr.on('data', (chunk: Buffer) => (logged += chunk.toString()))
  const [line] = (await Promise.race([
    once(createInterface(child.stdout), 'line'),
    once(child, 'exit').then(() => [logged]),
  ])) as [string]
  const stop = async () => {
    child.kill('SIGTERM')
    await once(child, 'exit')
    return logged
  }
  return { banner: JSON.parse(line) as Banner, stop }
}

t.test('clients log in with the files of a secure start, again after the next one', async (t) => {
  const dataDir = join(t.testdir(), 'data')
  const port = await freePort()
  const where = ['--data', dataDir, '--secure-port', `${port}`]
  const first = await start(...where, '--port', '0')
  const { directory, password = '', plaintext } = first.banner.secure
  t.equal(plaintext.length, 1)
  await using terminal = await Terminal.open()
  // The terminal's MILLRACE_BROKERS would win over the file's.
  const login = `-F ${join(directory, 'librdkafka.conf')} -b localhost:${port}`
  const { stdout, statuses } = await terminal.run(`
    topic create secured ${login}
    user add ann --generate --json ${login}
    user ls ${login}
    topic ls -b localhost:${port}`)
  t.strictSame(statuses, [0, 0, 0, 5], 'without a password nobody comes in')
  t.match(stdout, /admin +scram-sha-512/)
  const made = JSON.parse(stdout.split('\n').find((each) => each.includes('password'))!) as {
    password: string
  }
  writeFileSync(terminal.path('ann'), made.password)
  const ca = join(directory, 'ca.pem')
  const ann = `-b localhost:${port} --ca ${ca} --user ann --password-file ${terminal.path('ann')}`
  const rights = await terminal.run(`
    topic info secured ${ann}
    acl add --allow ann --topic secured --operation describe ${login}
    topic info secured ${ann}`)
  t.strictSame(rights.statuses, [4, 0, 0], 'a user has the rights that ACLs give')
  t.match(rights.stderr, /secured: the configuration needs the right describeConfigs/)
  const settings = (await import(pathToFileURL(join(directory, 'kafkajs.mjs')).href)) as {
    default: KafkaConfig
  }
  const admin = new Kafka({ ...settings.default, logLevel: logLevel.NOTHING }).admin()
  await admin.connect()
  t.ok((await admin.listTopics()).includes('secured'))
  await admin.disconnect()
  const sasl = { mechanism: 'scram-sha-256', username: 'admin', password } as const
  const tls = { ca: readFileSync(join(directory, 'ca.pem'), 'utf8') }
  for (const host of ['127.0.0.1', ...outsideAddresses()])
    t.equal(await outcome(`${host}:${port}`, { tls, sasl }), undefined, host)
  const wrong = { ...sasl, password: `${password}x` }
  const refused = await outcome(`localhost:${port}`, { tls, sasl: wrong })
  t.equal(refused?.code, 'SASL_AUTHENTICATION_FAILED')
  t.equal((await outcome(`localhost:${port}`, { tls: true, sasl }))?.code, 'TLS_FAILED')
  t.notMatch(await first.stop(), new RegExp(password), 'no log has the password')

  const second = await start(...where, '--no-plaintext')
  t.strictSame(Object.keys(second.banner.listeners), ['SASL_SSL'])
  t.equal(second.banner.secure.password, undefined)
  const again = await terminal.run(`topic ls ${login}`)
  t.match(again.stdout, /secured/)
  await second.stop()
})

/** Of this machine, if it has a network. */
function outsideAddresses(): string[] {
  const all = Object.values(networkInterfaces()).flatMap((each) => each ?? [])
  return all
    .filter(({ internal, family }) => !internal && family === 'IPv4')
    .map(({ address }) => address)
}
