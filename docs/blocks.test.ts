// Tests the code in README and guides: TypeScript compiles, programs run, and shell lines succeed, in order.

import { execFile, spawnSync } from 'node:child_process'
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import t from 'tap'
import { Broker } from '../broker/broker.ts'
import { Client } from '../clients/index.ts'
import { thinned } from '../protocol/testing/budget.ts'
import { SEED } from '../protocol/testing/seed.ts'
import { blocksOf, pages } from './pages.ts'
import { commandsOf, Shell } from './shell.ts'
import { root } from './sources.ts'

/** A directory where `millrace` resolves to this checkout, as it does in a project that depends on it. */
const directory = fileURLToPath(new URL('dist/blocks/', root))
const run = promisify(execFile)

// The tests start the command a hundred times, one after the other.
t.setTimeout(300_000)

/** A page whose first block begins like this is one program: each block is in the scope of those before it. */
const BUILDS_UP = '// What the blocks of this page use.'

/** The output of each program; or the reason why it is only compiled. */
const programs: Record<string, readonly (RegExp | string)[]> = {
  'README.md': [/^ann paid 250\n$/, /pass 1/],
  'docs/guide/getting-started.md': [/^partition 0, offset 0\nann 990\n$/],
  'docs/guide/from-kafkajs.md': ['it reads for ever', 'it reads for ever'],
  'docs/guide/recipes.md': [
    /pass 1/,
    'for Jest, which .ci/package runs',
    'for Next.js, which .ci/package builds',
    /^order 1\n$/,
    /^ann in orders: out of stock, 3 attempts\n$/,
  ],
}

/** Packages that blocks import and test machines do not have. */
const STRANGERS = ['@jest/globals', 'aws-msk-iam-sasl-signer-js']

/** Lines that cannot run here, by their beginning, with the reason. */
const elsewhere: Record<string, string> = {
  'npm ci': 'it needs a registry: .ci/run does it on a clean clone',
  'npm install': 'it needs a registry: .ci/package installs with npm, pnpm and yarn',
  'npm run bench': 'it takes minutes; bench has tests of its own',
  'NODE_OPTIONS=--experimental-vm-modules npx jest': '.ci/package runs it',
  'npx vitest': '.ci/package runs it',
  'npx esbuild': '.ci/package runs it',
  'docker ': 'it needs a registry of images',
  'kubectl ': 'it needs a cluster',
  'sudo ': 'it changes the machine',
  ...(isInstalled('kcat') ? {} : { 'kcat ': 'it is not installed' }),
  'promtool ': 'clients/testing/interop/metrics.interop.ts runs it, where it is installed',
}

function isInstalled(command: string): boolean {
  return spawnSync(command, ['-V']).error === undefined
}

/** Files that a page uses. */
const files: Record<string, Record<string, string>> = {
  'README.md': { 'package.json': '{}' },
  'docs/guide/cli.md': { 'access.log': 'GET /\n', 'cat.jpg': 'a cat' },
}

/** Topics that a page uses. */
const topics: Record<string, readonly string[]> = { 'docs/guide/damage.md': ['orders'] }

/** There is no hanging transaction to abort. */
function wantedStatus(line: string): number {
  return line.startsWith('millrace txn abort -t orders -p 0 --producer 4711') ? 1 : 0
}

const IMPORT = /^import (?:type )?(.*) from ('.*')\n/gm

/** One program from a page's blocks. */
function builtUp(blocks: readonly string[]): string {
  const imports = new Set<string>()
  for (const [, names = '', from] of blocks.join('').matchAll(IMPORT)) {
    const [, list] = /^\{(.*)\}$/.exec(names) ?? []
    for (const name of list?.split(',') ?? [names])
      imports.add(`import ${list === undefined ? name : `{ ${name.trim()} }`} from ${from}`)
  }
  const bodies = blocks.map((block) => block.replaceAll(IMPORT, ''))
  return [...imports, bodies.join('{\n'), '}'.repeat(blocks.length - 1), 'export {}'].join('\n')
}

/** Compiles everything in one run, as in a user's project. */
async function compile(): Promise<void> {
  rmSync(directory, { recursive: true, force: true })
  mkdirSync(directory, { recursive: true })
  for (const page of pages) {
    const blocks = blocksOf(page, 'ts')
    const sources = blocks[0]?.startsWith(BUILDS_UP) ? [builtUp(blocks)] : blocks
    sources.forEach((source, i) => writeFileSync(join(directory, fileOf(page, i, 'ts')), source))
  }
  const compilerOptions = {
    target: 'es2022',
    lib: ['es2023', 'esnext.disposable', 'dom'],
    module: 'nodenext',
    strict: true,
    types: ['node'],
    skipLibCheck: true,
  }
  const declared = STRANGERS.map((name) => `declare module '${name}'\n`).join('')
  writeFileSync(join(directory, 'strangers.d.ts'), declared)
  writeFileSync(join(directory, 'tsconfig.json'), JSON.stringify({ compilerOptions }))
  const typescript = dirname(createRequire(import.meta.url).resolve('typescript/package.json'))
  await node(join(typescript, 'bin/tsc'), '-p', directory)
}

function fileOf(page: string, i: number, ending: string): string {
  return `${page.replaceAll(/[^a-z]+/gi, '-')}-${i}.${ending}`
}

/** Runs Node without tap's hooks. @returns stdout */
async function node(...args: string[]): Promise<string> {
  const child = run('env', ['-u', 'NODE_OPTIONS', process.execPath, ...args])
  const { stdout } = await child.catch((error: { stdout: string; stderr: string }) => {
    throw new Error(`${error.stdout}${error.stderr}`)
  })
  return stdout
}

t.test('every TypeScript block compiles, and every program does what it says', async (t) => {
  t.teardown(() => rmSync(directory, { recursive: true, force: true }))
  await compile()
  for (const page of pages) {
    const blocks = blocksOf(page, 'ts')
    if (blocks.length === 0 || blocks[0]!.startsWith(BUILDS_UP)) continue
    const expected = programs[page] ?? []
    t.equal(blocks.length, expected.length, `${page}: every block is listed`)
    for (const [i, output] of expected.entries()) {
      if (typeof output === 'string') continue
      await using broker = await Broker.start({ ephemeral: true })
      const program = join(directory, fileOf(page, i, 'js'))
      const usual = readFileSync(program, 'utf8')
      writeFileSync(program, usual.replaceAll('127.0.0.1:9092', broker.bootstrap))
      t.match(await node(program), output, `${page}, block ${i}`)
    }
  }
  t.ok(blocksOf('README.md', 'ts')[0]!.trim().split('\n').length <= 13, 'the first fits a screen')
})

t.test('every shell line ends well, in order', async (t) => {
  const usedReasons = new Set<string>()
  const typed = ['README.md', ...thinned(pages, 5)]
  t.comment(`SEED=${SEED}`)
  for (const page of pages) {
    const lines = blocksOf(page, 'sh').flatMap(commandsOf)
    const runnable = lines.filter((line) => {
      const reason = Object.keys(elsewhere).find((begin) => line.startsWith(begin))
      if (reason !== undefined) usedReasons.add(reason)
      return reason === undefined
    })
    if (runnable.length === 0 || !typed.includes(page)) continue
    await using shell = await Shell.open({ isSecure: page === 'docs/guide/security.md' })
    await using client = new Client({ brokers: shell.broker.bootstrap })
    for (const [name, content] of Object.entries(files[page] ?? {}))
      writeFileSync(join(shell.directory, 'here', name), content)
    await client.admin().createTopics(topics[page] ?? [])
    if (page === 'docs/guide/cli.md') void leaveOpen(client)
    const { lines: ended, output } = await shell.run(runnable)
    const failed = ended.filter(({ line, status }) => status !== wantedStatus(line))
    t.strictSame(failed, [], page)
    if (failed.length > 0) t.comment(output)
  }
  t.strictSame([...usedReasons].sort(), Object.keys(elsewhere).sort(), 'no reason is stale')
})

/** Opens a transaction, which the page shows and aborts. */
async function leaveOpen(client: Client): Promise<void> {
  const producer = client.producer({ transactionalId: 'totals-1', transactionTimeoutMs: 600_000 })
  await producer
    .transaction(async (t) => {
      await t.send('totals', { value: '1' })
      await new Promise(() => {})
    })
    .catch(() => {})
}
