// Tests the rules of docs/architecture.md on the sources: the imports of each file, and the uses of Node's modules.
// Each rule is shown to catch a source that breaks it.

import t from '../protocol/testing/tap.ts'
import { circles, edgesBetween, importsOf, type Import } from './imports.ts'
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

/** The rooms of the client, from the bottom up: which of the others each may import. */
const clientRooms: Record<string, string[]> = {
  net: [],
  cluster: ['net'],
  producer: ['net', 'cluster'],
  consumer: ['net', 'cluster'],
  admin: ['cluster', 'consumer'],
  group: ['net', 'cluster', 'producer', 'consumer', 'admin'],
  transaction: ['net', 'cluster', 'producer', 'group'],
}

/** Module: the only files that may import it. */
const doors: [module: RegExp, only: RegExp][] = [
  [/^node:net$/, /\/net\//],
  [/^node:tls$/, /\/net\/|^broker\/tls\//],
  [/^node:http$/, /^broker\/http\//],
  [/^node:(https|http2|dgram|dns|cluster|inspector|vm|wasi|repl)(\/|$)/, /^$/],
  // flock; `tail`, which watches stdout; the command that gives a password
  [/^node:child_process$/, /^storage\/lock\.ts$|^clients\/cli\/(print|login\/secrets)\.ts$/],
  // names, sizes and homes of the machine
  [
    /^node:os$/,
    /^broker\/(compose\/store|secure\/machine-names)\.ts$|^storage\/(cleaner\/cleaner-thread|read\/hot-tail)\.ts$|^clients\/cli\/login\/profiles\.ts$/,
  ],
  [/^node:worker_threads$/, /[/-]thread\.ts$|^storage\/writer\/inbox\.ts$/],
  [/^lmdb$/, /^clients\/streams\//],
  [/^fastify$/, /^broker\/http\//],
  [/^prom-client$/, /^broker\/metrics\//],
  [/^jose$/, /^broker\/sasl\//],
  [/^node:fs/, /^storage\/fs\.ts$|^(broker|clients)\/|^protocol\/compression\/zstd\.ts$/], // zstd reads its WASM
]

/** Files that must not import others, also inside a room. */
const walls: [from: RegExp, to: RegExp][] = [
  [/^/, /\/(testing|conformance)\/|\.test\.ts$/],
  [/^broker\/api\//, /^broker\/api\//],
  [/^broker\/(group|txn)\//, /^broker\/(net|api|http)\//],
  // Inside storage, from the bottom up: the facts of a log, its files, its writer and its readers.
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
    /^storage\/(?!read\/|search\/|segment\/)\w+\/|^storage\/(open-store|logs)\.ts$/,
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
const chance = /\b(randomBytes|randomUUID|randomInt|randomFill|randomFillSync|getRandomValues)\b/
/** Unique ids, a secret seed, a nonce: values that a test need not foresee. */
const mayBeRandom =
  /^(broker\/(compose\/(coordinators|http)|fetch\/sessions|secure\/authority|sasl\/(plain|scram))|storage\/(meta|tables\/metadata|cleaner\/cleaner-thread)|protocol\/sasl\/new-password|clients\/(cli\/commands\/produce|net\/sasl\/login))\.ts$/

/** Tests and their helpers may import anything; so may the lines of the CLI that start a broker and verify its data. */
const isFree = ({ path }: Source) =>
  /\.test\.ts$|\/testing\/|\/conformance\/|^bench\/|^docs\//.test(path)
const lazyEdges = [
  'clients/cli/commands/start.ts -> broker/start.ts',
  'clients/cli/commands/user.ts -> broker/secure/stopped-users.ts',
  'clients/cli/commands/verify.ts -> storage/verify/verify.ts',
]

interface Code {
  /** Of the code that ships. */
  readonly shipped: readonly Source[]
  readonly imports: readonly Import[]
  /** Tests and tools, too. */
  readonly all: readonly Source[]
}

/** @returns what breaks it */
type Rule = (code: Code) => string[]

const text = ({ from, to }: Import) => `${from} -> ${to}`
const roomOf = (path: string) => path.split('/', 1)[0]!

/** `clients/net/dial.ts` -> `net`; undefined for a file at the top of the client, and for what is not the client's. */
const clientRoomOf = (path: string) => /^clients\/(\w+)\//.exec(path)?.[1]

/** The folder in a room, or the file at the top of it. */
const innerRoomOf = (path: string) =>
  roomOf(path) in rooms ? path.split('/').slice(0, 2).join('/') : undefined

const rules: Record<string, Rule> = {
  'a room imports only the rooms below it': ({ imports }) =>
    imports
      .filter(({ from, to }) => {
        const allowed = [roomOf(from), ...rooms[roomOf(from)]!]
        return roomOf(to) in rooms && !allowed.includes(roomOf(to))
      })
      .map(text)
      .filter((edge) => !lazyEdges.includes(edge)),

  "the client's rooms are layers": ({ imports }) =>
    imports
      .filter(({ from, to }) => {
        const [here, there] = [clientRoomOf(from), clientRoomOf(to)]
        if (there === undefined || here === there || here === 'cli') return false
        if (here === undefined) return from.startsWith('clients/') && !isTopOfClient(from)
        return here in clientRooms && !clientRooms[here]!.includes(there)
      })
      .map(text),

  'each door to the outside is in one place': ({ imports }) =>
    imports
      .filter(({ from, to }) => doors.some(([module, only]) => module.test(to) && !only.test(from)))
      .map(text),

  'nothing imports what a wall keeps from it': ({ imports }) =>
    imports
      .filter((edge) => walls.some(([from, to]) => from.test(edge.from) && to.test(edge.to)))
      .map(text),

  'no module leads back to itself, by no way of loading it': ({ imports }) => {
    const loaded = imports.filter(({ kind }) => kind !== 'type')
    const isOurs = (path: string) => (roomOf(path) in rooms ? path : undefined)
    return circles(edgesBetween(loaded, isOurs)).map((circle) => circle.join(', '))
  },

  'no room leads back to itself, not by types either': ({ imports }) =>
    circles(edgesBetween(imports, innerRoomOf)).map((circle) => circle.join(', ')),

  'the script of a thread or process is there': ({ all }) => {
    const paths = new Set(all.map(({ path }) => path))
    const scripts = all.flatMap(importsOf).filter(({ kind }) => kind === 'script')
    return scripts.filter(({ to }) => roomOf(to) in rooms && !paths.has(to)).map(text)
  },

  'time comes from a clock': ({ shipped }) =>
    shipped
      .filter(({ path, text }) => time.test(text) && !path.endsWith('/clock.ts'))
      .map(({ path }) => path),

  'chance comes from a clock, or is an id that nobody foresees': ({ shipped }) =>
    shipped
      .filter(({ path, text }) => chance.test(text) && !mayBeRandom.test(path))
      .map(({ path }) => path),
}

/** `client-options.ts`, `client.ts` and `index.ts` put the rooms together. */
const isTopOfClient = (path: string) => /^clients\/(client|client-options|index)\.ts$/.test(path)

function violations(all: readonly Source[], rule: Rule): string[] {
  const shipped = all.filter((source) => !isFree(source))
  return rule({ all, shipped, imports: shipped.flatMap(importsOf) })
}

/** All but this file, whose planted sources are no code. */
const tree = sources().filter(({ path }) => path !== 'docs/architecture.test.ts')

for (const [name, rule] of Object.entries(rules)) {
  t.test(name, async (t) => t.strictSame(violations(tree, rule), []))
}

/** What each rule must catch: path -> text of a source; the breaches that it tells. */
const planted: Record<string, [sources: Record<string, string>, breaches: string[]][]> = {
  'a room imports only the rooms below it': [
    [
      { 'storage/a.ts': "import type { B } from '../broker/b.ts'" },
      ['storage/a.ts -> broker/b.ts'],
    ],
    [
      { 'clients/a.ts': "const b = await import('../broker/b.ts')" },
      ['clients/a.ts -> broker/b.ts'],
    ],
    [{ 'protocol/a.ts': "export * from '../storage/b.ts'" }, ['protocol/a.ts -> storage/b.ts']],
    [{ 'protocol/a.ts': "require('../clients/b.ts')" }, ['protocol/a.ts -> clients/b.ts']],
    [
      { 'clients/a.ts': "new URL('../storage/b-thread.js', import.meta.url)" },
      ['clients/a.ts -> storage/b-thread.ts'],
    ],
  ],
  "the client's rooms are layers": [
    [
      { 'clients/net/a.ts': "import { b } from '../cluster/b.ts'" },
      ['clients/net/a.ts -> clients/cluster/b.ts'],
    ],
    [
      { 'clients/options.ts': "import type { B } from './net/b.ts'" },
      ['clients/options.ts -> clients/net/b.ts'],
    ],
    [
      { 'clients/group/a.ts': "import { b } from '../transaction/b.ts'" },
      ['clients/group/a.ts -> clients/transaction/b.ts'],
    ],
  ],
  'each door to the outside is in one place': [
    [{ 'broker/api/a.ts': "import { connect } from 'node:net'" }, ['broker/api/a.ts -> node:net']],
    [{ 'clients/a.ts': "import http from 'node:http'" }, ['clients/a.ts -> node:http']],
    [
      { 'broker/a.ts': "import { spawn } from 'node:child_process'" },
      ['broker/a.ts -> node:child_process'],
    ],
    [{ 'broker/a.ts': "import { runInNewContext } from 'node:vm'" }, ['broker/a.ts -> node:vm']],
    [{ 'protocol/a.ts': "import { cpus } from 'node:os'" }, ['protocol/a.ts -> node:os']],
    [{ 'broker/a.ts': "const lmdb = await import('lmdb')" }, ['broker/a.ts -> lmdb']],
    [{ 'storage/a.ts': "import { openSync } from 'node:fs'" }, ['storage/a.ts -> node:fs']],
  ],
  'nothing imports what a wall keeps from it': [
    [
      { 'storage/a.ts': "import { x } from './testing/x.ts'" },
      ['storage/a.ts -> storage/testing/x.ts'],
    ],
    [
      { 'broker/api/00_a.ts': "import { x } from './01_b.ts'" },
      ['broker/api/00_a.ts -> broker/api/01_b.ts'],
    ],
    [
      { 'storage/segment/a.ts': "import type { X } from '../writer/x.ts'" },
      ['storage/segment/a.ts -> storage/writer/x.ts'],
    ],
  ],
  'no module leads back to itself, by no way of loading it': [
    [
      {
        'storage/a.ts': "import { b } from './b.ts'",
        'storage/b.ts': "new URL('c-thread.js', import.meta.url)",
        'storage/c-thread.ts': "const { a } = await import('./a.ts')",
      },
      ['storage/a.ts, storage/b.ts, storage/c-thread.ts'],
    ],
    [
      {
        'storage/a.ts': "import { b } from './b.ts'",
        'storage/b.ts': "import { type A } from './a.ts'",
      },
      [],
    ],
  ],
  'no room leads back to itself, not by types either': [
    [
      {
        'broker/fetch/a.ts': "import { b } from '../group/b.ts'",
        'broker/group/c.ts': "import type { D } from '../fetch/d.ts'",
      },
      ['broker/fetch, broker/group'],
    ],
  ],
  'the script of a thread or process is there': [
    [
      { 'storage/a.test.ts': "fork(new URL('testing/child.js', import.meta.url))" },
      ['storage/a.test.ts -> storage/testing/child.ts'],
    ],
  ],
  'time comes from a clock': [
    [{ 'broker/a.ts': 'setTimeout(act, 5)' }, ['broker/a.ts']],
    [{ 'clients/a.ts': 'const now = new Date()' }, ['clients/a.ts']],
    [{ 'clients/clock.ts': 'Date.now()' }, []],
  ],
  'chance comes from a clock, or is an id that nobody foresees': [
    [{ 'storage/a.ts': "import { randomBytes } from 'node:crypto'" }, ['storage/a.ts']],
    [{ 'clients/a.ts': 'const id = crypto.randomUUID()' }, ['clients/a.ts']],
  ],
}

for (const [name, rule] of Object.entries(rules)) {
  t.test(`caught: ${name}`, async (t) => {
    const cases = planted[name] ?? []
    t.ok(
      cases.some(([, breaches]) => breaches.length > 0),
      'something breaks it',
    )
    for (const [texts, breaches] of cases) {
      const all = Object.entries(texts).map(([path, text]) => ({ path, text }))
      t.strictSame(violations(all, rule), breaches)
    }
  })
}
