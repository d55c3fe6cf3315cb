// Property files as Apache Kafka reads them, and as our broker does: Java's syntax, config providers, and the server.properties
// of a running Kafka.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { resolveVariables } from '../../../protocol/config-providers.ts'
import { MalformedProperties, parseJavaProperties } from '../../../protocol/java-properties.ts'
import { SEED } from '../../../protocol/testing/seed.ts'
import { Client } from '../../index.ts'
import { freePort } from './killable-broker.ts'
import {
  finished,
  KAFKA_FETCH_TIMEOUT_MS,
  kafkaClasspath,
  run,
  requireJavaCompiler,
  requireKafka,
} from './tools.ts'

const FILES = 400
const CHARS_MAX = 40
/** What has a meaning in the syntax, and something that has none. */
const ALPHABET = [
  '\\',
  '\n',
  '\r',
  ' ',
  '\t',
  '\f',
  '=',
  ':',
  '#',
  '!',
  'u',
  '0041',
  'a',
  'n',
  '\u00e4',
]

/** Java makes an empty property of a backslash alone in the last line of a file. */
const LAST = '\nlast'

requireKafka()
requireJavaCompiler()
const timeout = KAFKA_FETCH_TIMEOUT_MS + 60_000
const script = fileURLToPath(new URL('../../../../bench/peers/kafka.sh', import.meta.url))

t.setTimeout(3 * timeout)
const main = fileURLToPath(new URL('../../cli/main.js', import.meta.url))
const scratch = mkdtempSync(join(tmpdir(), 'millrace-property-files-'))
t.teardown(() => rmSync(scratch, { recursive: true, force: true }))

/** What Kafka makes of each file: entries in order of name; undefined when it refuses the file. */
async function readByKafka(paths: readonly string[]) {
  const source = new URL('../../../../clients/testing/interop/PropertyFiles.java', import.meta.url)
  const args = ['-cp', await kafkaClasspath(), fileURLToPath(source), ...paths]
  const { stdout } = await run('java', args, Buffer.of(), timeout)
  const files: ([name: string, value: string][] | undefined)[] = []
  for (const line of stdout.toString().trimEnd().split('\n')) {
    if (line === 'file') files.push([])
    else if (line === 'refused') files.push(undefined)
    else {
      const [name = '', value = ''] = line.split(' ')
      files.at(-1)!.push([textOf(name), textOf(value)])
    }
  }
  return files.map((entries) => entries?.sort(byName))
}

function textOf(base64: string): string {
  return Buffer.from(base64, 'base64').toString()
}

function byName([a]: readonly [string, string], [b]: readonly [string, string]): number {
  return a < b ? -1 : 1
}

function readHere(text: string) {
  try {
    return [...parseJavaProperties(text)].sort(byName)
  } catch (error) {
    if (error instanceof MalformedProperties) return undefined
    throw error
  }
}

t.test('any text is the same properties to Java', { timeout }, async (t) => {
  const random = xorshift(SEED)
  const texts = Array.from({ length: FILES }, () =>
    Array.from({ length: random(CHARS_MAX) }, () => ALPHABET[random(ALPHABET.length)]!).join(''),
  )
  const paths = texts.map((text, i) => {
    const path = join(scratch, `${i}.properties`)
    writeFileSync(path, text + LAST, 'latin1')
    return path
  })
  const theirs = await readByKafka(paths)
  for (const [i, text] of texts.entries())
    t.strictSame(readHere(text + LAST), theirs[i], `${JSON.stringify(text)} (SEED=${SEED})`)
})

/** @returns a function that gives a whole number below its argument */
function xorshift(seed: number): (below: number) => number {
  let state = seed + 1
  return (below) => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return (state >>> 0) % below
  }
}

t.test("variables have the values that Kafka's providers give them", { timeout }, async (t) => {
  const classes = 'org.apache.kafka.common.config.provider'
  writeFileSync(join(scratch, 'secrets.properties'), 'a = 1\\\n  2\nb:c=\u00e4\u20ac')
  writeFileSync(join(scratch, 'whole'), ' all of it\n')
  const text = `config.providers=env,f,d
config.providers.env.class=${classes}.EnvVarConfigProvider
config.providers.env.param.allowlist.pattern=PA.*
config.providers.f.class=${classes}.FileConfigProvider
config.providers.f.param.allowed.paths=${scratch}
config.providers.d.class=${classes}.DirectoryConfigProvider
env=<\${env:PATH}>
twice=\${env:PATH}\${f:${scratch}/secrets.properties:a}
file=\${f:${scratch}/secrets.properties:a}
colon=\${f:${scratch}/secrets.properties:b}
directory=\${d:${scratch}:whole}
none=$ {env:PATH} \${} \${a} $env:PATH}
`
  const path = join(scratch, 'server.properties')
  writeFileSync(path, text)
  const [theirs] = await readByKafka([path])
  const { properties } = resolveVariables(parseJavaProperties(text), {
    environment: process.env,
    contentsOf: (file) => readFileSync(file, 'utf8'),
  })
  t.strictSame([...properties].sort(byName), theirs)
})

t.test('the server.properties of a running Kafka starts our broker', { timeout }, async (t) => {
  process.env['KAFKA_PEER_DIR'] = join(scratch, 'kafka')
  process.env['KAFKA_PROPERTIES'] = 'num.partitions=7\nmax.message.bytes=2000000'
  await run('bash', [script, 'start', `${await freePort()}`], Buffer.of(), timeout)
  t.teardown(() => run('bash', [script, 'stop']))
  const path = join(scratch, 'kafka', 'server.properties')
  t.match(readFileSync(path, 'utf8'), 'process.roles=broker,controller')
  const place = ['-c', 'listeners=PLAINTEXT://127.0.0.1:0', '-c', 'advertised.listeners=']
  const flags = ['--config', path, '--data', join(scratch, 'data'), '--http', 'off', ...place]
  const child = spawn(process.execPath, [main, 'start', ...flags, '--json'])
  t.teardown(() => child.kill('SIGKILL'))
  const ended = finished(child, 'the broker').then(() => Promise.reject(new Error('it ended')))
  ended.catch(() => {}) // also at the teardown
  const [banner] = (await Promise.race([once(child.stdout, 'data'), ended])) as [Buffer]
  const { bootstrap } = JSON.parse(banner.toString()) as { bootstrap: string }
  await using client = new Client({ brokers: bootstrap })
  await client.admin().createTopics([{ topic: 't' }])
  const [topic] = await client.admin().describeTopics(['t'])
  t.equal(topic!.partitions.length, 7)
})
