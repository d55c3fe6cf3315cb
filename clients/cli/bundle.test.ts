// The bundle, which users run; all other tests run the compiled sources. `npm run build` makes it.

import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import { posix } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import t from '../../protocol/testing/tap.ts'

const root = new URL('../../../', import.meta.url)
const bundle = new URL('dist/bundle/', root)
const manifest = JSON.parse(readFileSync(new URL('package.json', root), 'utf8')) as {
  version: string
  bin: { millrace: string }
  exports: Record<string, string | { types: string; default: string }>
}

/** An import or a `require` that is not in a function: those begin their lines, or all stand in a small file's first line. */
const LOADS =
  /(?<=^|^(?:im|ex)port.*;)(?:import|export) ?(?:[^;"]* ?from ?)?"([^"]+)";|^(?:(?:const|let) \w+ ?= ?)?require\("([^"]+)"\)[;,]/gm

/** The files that Node loads with a file of the bundle before any of it runs, and imports from outside the bundle. */
function loadedWith(file: string, loaded = new Set<string>()): Set<string> {
  const text = readFileSync(new URL(file, bundle), 'utf8')
  for (const [, imported, required] of text.matchAll(LOADS)) {
    const from = imported ?? required!
    const name = from.startsWith('./') ? posix.join(posix.dirname(file), from) : from
    if (loaded.has(name)) continue
    loaded.add(name)
    if (from.startsWith('./')) loadedWith(name, loaded)
  }
  return loaded
}

t.test('each entry point of the package is in the bundle, and has its types', async (t) => {
  t.ok(existsSync(new URL(manifest.bin.millrace, root)))
  for (const [name, entry] of Object.entries(manifest.exports)) {
    const files = typeof entry === 'string' ? [entry] : [entry.types, entry.default]
    for (const file of files) t.ok(existsSync(new URL(file, root)), `${name}: ${file}`)
  }
})

t.test('a start loads nothing from outside of the bundle, and not the client', async (t) => {
  const scripts = [
    'writer-thread.js',
    'validator-thread.js',
    'cleaner-thread.js',
    'search-thread.js',
  ]
  for (const file of [
    'cli/start.cjs',
    'start.js',
    'cli/verify.cjs',
    'verify.js',
    'broker.js',
    ...scripts,
  ]) {
    const loaded = [...loadedWith(file)]
    t.ok(loaded.length > 0, `${file}: the imports are found`)
    t.strictSame(
      loaded.filter((name) => !name.startsWith('node:') && !existsSync(new URL(name, bundle))),
      [],
      file,
    )
    t.notOk(
      loaded.some((name) => /client|session|consumer/.test(name)),
      file,
    )
  }
})

t.test('a command loads only the parts of the client that it needs', async (t) => {
  const unwanted =
    /group-consumer|transactional|msgpack|completion|secrets|node:(?!net|zlib|fs|os|path|util|buffer|events|module|process|stream|diagnostics_channel)/
  for (const verb of ['tail', 'produce', 'topic', 'group', 'cluster', 'config'])
    t.strictSame(
      [...loadedWith(`cli/${verb}.cjs`)].filter((name) => unwanted.test(name)),
      [],
      verb,
    )
  t.notOk(loadedWith('cli/produce.cjs').has('cli/consumer.cjs'), 'produce reads nothing')
  t.notOk(loadedWith('cli/tail.cjs').has('cli/producer.cjs'), 'tail writes nothing')
})

t.test('an error of the broker is a KafkaError of the client', async (t) => {
  const load = async <Module>(file: string) => (await import(new URL(file, bundle).href)) as Module
  const { KafkaError } = await load<typeof import('../index.ts')>('client.js')
  const { Broker } = await load<typeof import('../../broker/broker.ts')>('broker.js')
  try {
    await Broker.start({ config: { 'no.such.property': 1 } })
    t.fail('it is refused')
  } catch (error) {
    t.ok(error instanceof KafkaError)
  }
})

t.test('the lines of a stack lead to our sources', async (t) => {
  const code = `
    const { Client } = await import(${JSON.stringify(new URL('client.js', bundle).href)})
    const client = new Client({ brokers: '127.0.0.1:1', bootstrapTimeoutMs: 0 })
    await client.producer().send('t', { value: '' }).catch(({ stack }) => console.log(stack))`
  const options = ['--enable-source-maps', '--input-type=module', '--eval', code]
  const { stdout } = await promisify(execFile)(process.execPath, options)
  t.match(stdout, /at async Cluster\.connection \(.*clients\/cluster\/cluster\.ts:\d+:\d+\)/)
})

t.test(
  'the bundled command knows its version, and runs a broker until it is stopped',
  async (t) => {
    const main = fileURLToPath(new URL(manifest.bin.millrace, root))
    const asked = spawn(process.execPath, [main, '--version'])
    const [version] = (await once(asked.stdout, 'data')) as [Buffer]
    t.equal(version.toString().trim(), manifest.version)
    const args = ['start', '--ephemeral', '--port', '0', '--http', '0', '--json', '--quiet']
    const broker = spawn(process.execPath, [main, ...args])
    const [banner] = (await once(broker.stdout, 'data')) as [Buffer]
    const { http } = JSON.parse(banner.toString()) as { http: string }
    t.match(await (await fetch(`${http}/metrics`)).text(), /^# HELP/)
    broker.kill('SIGTERM')
    t.strictSame(await once(broker, 'close'), [0, null])
    const add = [main, 'user', 'add', 'ann', '--generate', '--data', t.testdir()]
    await promisify(execFile)(process.execPath, add)
    await t.rejects(promisify(execFile)(process.execPath, add), /: ann exists: to/)
  },
)
