// Rules for source files that the linter cannot check. Lengths, names and left-over notes are rules in .oxlintrc.json.

import { readFileSync } from 'node:fs'
import t from '../protocol/testing/tap.ts'
import { markdown, root, sources } from './sources.ts'

t.test('every file opens with what it owns', async (t) => {
  const headless = sources().filter(({ text }) => !/^(#!.*\n)?\/\/ \S/.test(text))
  t.strictSame(
    headless.map(({ path }) => path),
    [],
  )
})

t.test('no test is skipped, alone or still to be written', async (t) => {
  const pattern = new RegExp(String.raw`\b(t|tap)\.(skip|todo|only)\b|\b(skip|todo): *(true|['"])`)
  const tests = sources().filter(({ path }) => /\.(test|interop)\.ts$/.test(path))
  t.strictSame(
    tests.filter(({ text }) => pattern.test(text)).map(({ path }) => path),
    [],
  )
})

t.test(
  'how often a test does something is asked of its budget, not of the environment',
  async (t) => {
    const pattern = /\benv(\.|\[['"])(SEEDS?|RUNS|KILLS|LIVES|FULL|FRAMES|SECONDS|FLIP_STRIDE)\b/
    const asking = sources()
      .filter(({ text }) => pattern.test(text))
      .map(({ path }) => path)
    t.strictSame(asking, ['protocol/testing/budget.ts', 'protocol/testing/seed.ts'])
  },
)

t.test('an assertion that holds builds no message', async (t) => {
  const isShipped = ({ path }: { path: string }) =>
    !/\.test\.ts$|\/testing\/|^(bench|docs)\//.test(path)
  const calls = sources().filter(isShipped).flatMap(assertionsIn)
  t.ok(calls.length > 20, `${calls.length} assertions`)
  t.strictSame(
    calls.filter((call) => call.includes('${')),
    [],
  )
  const planted = { path: 'a.ts', text: 'assert(is(ok), `not ${ok}`)' }
  t.strictSame(assertionsIn(planted), ['a.ts: assert(is(ok), `not ${ok}`)'])
})

/** The calls of `assert`, which takes a message that is ready; `assert.fail` is called only with something to say. */
function assertionsIn({ path, text }: { readonly path: string; readonly text: string }): string[] {
  const calls = text.matchAll(/\bassert\((?:[^()]|\((?:[^()]|\([^()]*\))*\))*\)/g)
  return Array.from(calls, ([call]) => `${path}: ${call}`)
}

t.test('every test file has time enough for a slow machine', async (t) => {
  const hasTime = /^t\.setTimeout\(|^import .* from '.*testing\/(tap|vectors|kafkajs)\.ts'$/m
  const tests = sources().filter(({ path }) => path.endsWith('.test.ts'))
  t.strictSame(
    tests.filter(({ text }) => !hasTime.test(text)).map(({ path }) => path),
    [],
  )
})

t.test('comments and pages name their subject, and use no riddles', async (t) => {
  // Words that a stranger has to read twice, and sentences whose subject is "who". Text in backquotes is a quotation.
  const riddle =
    /\b([Aa]new|[Ss]o many|[Ww]hom?ever|not to be had|[Ii]t is said)\b|(^|[.:;] )Who [a-z][^?]*$/
  const comment = /^ *(?:\/\/|\/?\*+) ?(.*)$| \/\/ (.*)$/
  const comments = sources().flatMap(({ path, text }) =>
    text.split('\n').map((line) => {
      const [, whole, tail] = comment.exec(line) ?? []
      return { path, line: whole ?? tail ?? '' }
    }),
  )
  const pages = markdown().flatMap(({ path, text }) =>
    text.split('\n').map((line) => ({ path, line })),
  )
  const riddles = [...comments, ...pages].filter(({ line }) =>
    riddle.test(line.replaceAll(/`[^`]*`/g, '')),
  )
  t.strictSame(riddles, [], 'name the subject: the client, the batch, the log')
})

t.test('files that comments and pages name exist', async (t) => {
  const files = [...sources(), ...markdown()]
  const endings = new Set(
    files.flatMap(({ path }) => {
      const parts = path.split('/')
      return parts.map((_, i) => parts.slice(i).join('/'))
    }),
  )
  const named = /(?<![\w./-])(?:[a-z_-]+\/)+[\w.-]+\.ts\b|\bdocs\/[\w/-]+\.md\b/g
  const missing = files.flatMap(({ path, text }) => {
    const prose = path.endsWith('.md')
      ? text
      : text.match(/^ *(?:\/\/|\/?\*).*$|\/\/ .*$/gm)?.join('\n')
    return Array.from(prose?.matchAll(named) ?? [], ([name]) => ({ path, name }))
  })
  t.strictSame(
    missing.filter(({ name }) => !endings.has(name) && !name.includes('NN_')),
    [],
  )
})

t.test('the lock file names no registry and every platform', async (t) => {
  const text = readFileSync(new URL('package-lock.json', root), 'utf8')
  t.notMatch(text, /"resolved": *"https?:/)
  const { packages } = JSON.parse(text) as {
    packages: Record<string, { optionalDependencies?: Record<string, string> }>
  }
  const wanted = Object.values(packages).flatMap((each) =>
    Object.keys(each.optionalDependencies ?? {}),
  )
  const locked = new Set(Object.keys(packages).map((path) => path.replace(/^.*node_modules\//, '')))
  t.strictSame(
    wanted.filter((name) => !locked.has(name)),
    [],
  )
})
