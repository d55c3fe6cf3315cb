// The README's promises: its snippets run, and its limits are the ones in the tables.

import { execFileSync } from 'node:child_process'
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { brokerConfigs } from '../broker/config.ts'
import { topicConfigs } from '../storage/config.ts'
import { root } from './sources.ts'

const readme = readFileSync(new URL('README.md', root), 'utf8')
const snippets = [...readme.matchAll(/```ts\n(.*?)```/gs)].map(([, code]) => code!)

/** Where `millrace` means this checkout, as it does in a project that has it as a dependency. */
const directory = fileURLToPath(new URL('dist/readme-snippets/', root))

/** Compiles the snippets as a user's project would, and runs them. @returns stdout of each */
function run(codes: readonly string[]): string[] {
  rmSync(directory, { recursive: true, force: true })
  mkdirSync(directory, { recursive: true })
  codes.forEach((code, i) => writeFileSync(join(directory, `snippet-${i}.ts`), code))
  const compilerOptions = {
    target: 'es2022',
    lib: ['es2023', 'esnext.disposable'],
    module: 'nodenext',
    strict: true,
    types: ['node'],
    skipLibCheck: true,
  }
  writeFileSync(join(directory, 'tsconfig.json'), JSON.stringify({ compilerOptions }))
  const tsc = join(
    dirname(createRequire(import.meta.url).resolve('typescript/package.json')),
    'bin/tsc',
  )
  node(tsc, '-p', directory)
  return codes.map((_, i) => node(join(directory, `snippet-${i}.js`)))
}

/** Runs Node without tap's hooks. @returns stdout */
function node(...args: string[]): string {
  const command = ['-u', 'NODE_OPTIONS', process.execPath, ...args]
  return execFileSync('env', command, { encoding: 'utf8', stdio: 'pipe' })
}

t.test('every TypeScript snippet compiles and does what it says', async (t) => {
  t.teardown(() => rmSync(directory, { recursive: true, force: true }))
  const [first, inTest] = run(snippets)
  t.equal(first, 'ann paid 250\n')
  t.match(inTest, /pass 1/)
  t.equal(snippets.length, 2)
  t.ok(snippets[0]!.trim().split('\n').length <= 13, 'the first one fits a screen')
})

t.test('the limits are the defaults of the tables', async (t) => {
  const defaults: Record<string, { default: string }> = { ...topicConfigs, ...brokerConfigs }
  const limits = [...readme.matchAll(/`([a-z.]+)` = (\d+)/g)]
  t.ok(limits.length >= 4)
  for (const [, name, value] of limits) t.equal(defaults[name!]?.default, value, name!)
})

t.test('the package holds what its README links to', async (t) => {
  const args = ['pack', '--dry-run', '--json', '--ignore-scripts']
  const command = process.platform === 'win32' ? 'npm.cmd' : 'npm'
  const packed = execFileSync(command, args, {
    cwd: fileURLToPath(root),
    encoding: 'utf8',
    stdio: 'pipe',
  })
  const answer = JSON.parse(packed) as Record<string, Packed> | Packed[]
  const { files } = Object.values(answer)[0] as Packed
  const held = new Set(files.map(({ path }) => path))
  const links = [...readme.matchAll(/\]\((?!https?:)([^)#]+)/g)].map(([, target]) => target!)
  t.ok(links.length > 10)
  t.strictSame(
    links.filter((link) => !held.has(link) && !held.has(`${link}/README.md`)),
    [],
  )
})

interface Packed {
  readonly files: readonly { readonly path: string }[]
}

t.test('every relative link leads somewhere', async (t) => {
  const guides = ['getting-started', 'cli', 'client', 'performance'].map(
    (name) => `docs/guide/${name}.md`,
  )
  for (const page of ['README.md', ...guides]) {
    const url = new URL(page, root)
    for (const [, target] of readFileSync(url, 'utf8').matchAll(/\]\((?!https?:)([^)#]+)/g)) {
      t.doesNotThrow(() => readFileSync(new URL(target!, url)), `${page} -> ${target}`)
    }
  }
})
