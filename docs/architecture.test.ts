// The house rules of docs/architecture.md, held over the sources: who may import whom, and the doors to the outside.

import { posix } from 'node:path'
import t from 'tap'
import { sources, type Source } from './sources.ts'

/** Room: the other rooms it may import. */
const rooms: Record<string, string[]> = {
  protocol: [],
  storage: ['protocol'],
  broker: ['protocol', 'storage'],
  clients: ['protocol'],
  bench: ['protocol', 'storage', 'broker', 'clients'],
  docs: ['protocol', 'storage', 'broker', 'clients'],
}

/** Module: the only files that may import it. */
const doors: [module: RegExp, only: RegExp][] = [
  [/^node:(net|tls)$/, /\/net\//],
  [/^node:worker_threads$/, /[/-]thread\.ts$|^storage\/writer\/inbox\.ts$/],
  [/^lmdb$/, /^clients\/streams\//],
  [/^fastify$/, /^broker\/http\//],
  [/^prom-client$/, /^broker\/metrics\//],
  [/^node:fs/, /^storage\/fs\.ts$|^(broker|clients)\/|^protocol\/compression\/zstd\.ts$/], // zstd reads its WASM
]

/** What does not import what, also inside a room. */
const walls: [from: RegExp, to: RegExp][] = [
  [/^/, /\/(testing|conformance)\/|\.test\.ts$/],
  [/^broker\/api\//, /^broker\/api\//],
  [/^broker\/(group|txn)\//, /^broker\/(net|api|http)\//],
  // Inside storage: the facts of a log, its files, who writes them and who reads them, from the bottom up.
  [/^storage\/log-facts\.ts$/, /^storage\/(?!record-rules\.ts$)/],
  [/^storage\/segment\//, /^storage\/(?!segment\/)\w+\/|^storage\/(store|open-store|logs)\.ts$/],
  [
    /^storage\/producers\//,
    /^storage\/(?!producers\/|segment\/)\w+\/|^storage\/(store|open-store|logs)\.ts$/,
  ],
  [
    /^storage\/recovery\//,
    /^storage\/(?!recovery\/|producers\/|segment\/)\w+\/|^storage\/(store|open-store|logs)\.ts$/,
  ],
  [
    /^storage\/read\//,
    /^storage\/(?!read\/|search\/|segment\/|writer\/commands\.ts$)\w+\/|^storage\/(open-store|logs)\.ts$/,
  ],
  [
    /^storage\/writer\/(?!writer-client\.ts$)/,
    /^storage\/(read|cleaner|tables|validator|verify)\/|^storage\/(store|open-store|logs)\.ts$/,
  ],
  [
    /^storage\/cleaner\/(worker\/|cleaner-thread\.ts$)/,
    /^storage\/(read|writer|tables)\/|^storage\/(store|open-store|logs)\.ts$/,
  ],
]

const time = /\b(Date\.now|performance\.now|setTimeout|setInterval|Math\.random)\b|new Date\(\)/

/** Tests and their worlds may reach anywhere; so may the lines by which the CLI starts a broker, and verifies its data. */
const isFree = ({ path }: Source) =>
  /\.test\.ts$|\/testing\/|\/conformance\/|^bench\/|^docs\//.test(path)
const lazyEdges = [
  'clients/cli/commands/start.ts -> broker/start.ts',
  'clients/cli/commands/verify.ts -> storage/verify/verify.ts',
]

const code = sources().filter((source) => !isFree(source))
const imports = code.flatMap(({ path, text }) =>
  [...text.matchAll(/(?:^|[;}\s])(?:from|import)\s*\(?\s*'([^']+)'/g)].map(([, to = '']) => ({
    from: path,
    to: to.startsWith('.') ? posix.join(posix.dirname(path), to) : to,
  })),
)
const wrong = (test: (edge: { from: string; to: string }) => boolean) =>
  imports.filter(test).map(({ from, to }) => `${from} -> ${to}`)

const roomOf = (path: string) => path.split('/', 1)[0]!

t.test('a room imports only the rooms below it', async (t) => {
  t.ok(imports.length > 50, 'the imports are found')
  const strangers = wrong(({ from, to }) => {
    const allowed = [roomOf(from), ...rooms[roomOf(from)]!]
    return roomOf(to) in rooms && !allowed.includes(roomOf(to))
  })
  t.strictSame(
    strangers.filter((edge) => !lazyEdges.includes(edge)),
    [],
  )
})

t.test('each door to the outside is in one place', async (t) => {
  for (const [module, only] of doors) {
    t.strictSame(
      wrong(({ from, to }) => module.test(to) && !only.test(from)),
      [],
      `${module}`,
    )
  }
})

t.test(
  'nothing imports tests; handlers do not import each other; coordinators know no network',
  async (t) => {
    for (const [from, to] of walls) {
      t.strictSame(
        wrong((edge) => from.test(edge.from) && to.test(edge.to)),
        [],
        `${from} -> ${to}`,
      )
    }
  },
)

t.test('time and chance come from a clock', async (t) => {
  const users = code.filter(({ path, text }) => time.test(text) && !path.endsWith('/clock.ts'))
  t.strictSame(
    users.map(({ path }) => path),
    [],
  )
})
