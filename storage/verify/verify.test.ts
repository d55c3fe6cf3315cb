// Data directories, sound and damaged, verified and repaired: the findings, and that verifying changes nothing.

import {
  cpSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import t from '../../protocol/testing/tap.ts'
import { VirtualClock } from '../../broker/testing/virtual-clock.ts'
import { BatchBuilder } from '../../protocol/batch/build.ts'
import {
  batchAround,
  batchOfPacked,
  rightRecords,
  wrongRecords,
} from '../../protocol/testing/malformed.ts'
import { SEED } from '../../protocol/testing/seed.ts'
import { openStore } from '../open-store.ts'
import { pack } from '../packed.ts'
import { seededRandom } from '../testing/random.ts'
import { appendValues, readRecords, tempDirectory } from '../testing/store-kit.ts'
import { FaultyFs } from '../testing/faulty-fs.ts'
import type { Fs } from '../fs.ts'
import { OverlayFs } from './overlay-fs.ts'
import { bytesToRead, repairDirectory, verifyDirectory } from './verify.ts'

const clock = new VirtualClock()
t.comment(`SEED=${SEED}`)

const FIRST = '00000000000000000000'
const FLIPS = 60

const open = (dataDir: string) =>
  openStore({
    dataDir,
    writer: 'inline',
    clock,
    topicDefaults: { 'segment.bytes': '20000' },
  })

/** A topic of two partitions; the first has several segments. */
async function filled(dataDir: string) {
  const store = await open(dataDir)
  await store.topics.create({ name: 'logs', partitionCount: 2 })
  for (let i = 0; i < 80; i++)
    await appendValues(store, store.logs.get('logs', 0)!, ['x'.repeat(800)])
  await appendValues(store, store.logs.get('logs', 1)!, ['a', 'b'])
  return store
}

const pristine = tempDirectory(t)
const closed = join(pristine, 'closed')
await (await filled(closed))[Symbol.asyncDispose]()

/** As a killed process leaves it. */
const killed = join(pristine, 'killed')
const running = await filled(join(pristine, 'running'))
cpSync(join(pristine, 'running'), killed, { recursive: true })

let copies = 0
function copyOf(directory: string): string {
  const copy = join(pristine, `copy-${copies++}`)
  cpSync(directory, copy, { recursive: true })
  return copy
}

const verify = (dataDir: string) => verifyDirectory(dataDir, { clock, onRead() {} })

/** Every finding as `severity where: what`. */
async function found(dataDir: string): Promise<string[]> {
  const { findings } = await verify(dataDir)
  return findings.map(({ severity, where, what }) => `${severity} ${where}: ${what}`)
}

function contents(directory: string): Record<string, string> {
  const files = readdirSync(directory, { recursive: true, withFileTypes: true })
  return Object.fromEntries(
    files
      .filter((each) => each.isFile())
      .map(({ parentPath, name }) => [
        join(parentPath, name),
        readFileSync(join(parentPath, name)).toString('base64'),
      ]),
  )
}

function change(path: string, at: number, byte?: number): void {
  const bytes = readFileSync(path)
  bytes[at] = byte ?? bytes[at]! ^ 0xff
  writeFileSync(path, bytes)
}

async function repaired(dataDir: string): Promise<string[]> {
  await repairDirectory(dataDir, (await verify(dataDir)).findings, clock)
  return found(dataDir)
}

t.test(
  'a directory is sound after a stop and after a kill, and looking changes nothing',
  async (t) => {
    for (const [directory, logCount] of [
      [closed, 3],
      [killed, 3],
    ] as const) {
      const before = contents(directory)
      const { findings, ...counts } = await verify(directory)
      t.same(findings, [])
      t.match(counts, { logCount, segmentCount: 6 })
      t.ok(counts.batchCount > 82)
      t.same(contents(directory), before)
    }
    let bytes = 0
    await verifyDirectory(closed, { clock, onRead: (count) => (bytes += count) })
    t.ok(bytes >= bytesToRead(closed) * 0.9, 'progress comes to its end')
  },
)

t.test(
  'a directory in use is refused, naming the process; so is what is none of ours',
  async (t) => {
    await t.rejects(
      verify(join(pristine, 'running')),
      new RegExp(`in use by process ${process.pid}`),
    )
    await t.rejects(verify(tempDirectory(t)), /no millrace data directory/)
  },
)

t.test(
  'a rotten batch in a sealed segment is found, and costs no other when it is repaired',
  async (t) => {
    const dataDir = copyOf(closed)
    const file = `logs-0/${FIRST}.log`
    change(join(dataDir, file), 1000)
    const before = contents(dataDir)
    const [rot, ...others] = await found(dataDir)
    t.match(
      rot,
      new RegExp(`^damage ${file}: offsets 1 to 1 cannot be read \\(bytes \\d+ to \\d+\\)`),
    )
    t.same(others, [])
    t.same(contents(dataDir), before)

    const store = await open(dataDir)
    t.equal(
      (await readRecords(store.reader, store.logs.get('logs', 0)!, 2)).length,
      78,
      'an ordinary start trusts it',
    )
    await store[Symbol.asyncDispose]()
    t.match(await repaired(dataDir), [/^note .*known since an earlier start/])
    const again = await open(dataDir)
    t.equal(again.recovery.corruptBatchCount, 1)
    t.equal((await readRecords(again.reader, again.logs.get('logs', 0)!, 2)).length, 78)
    await again[Symbol.asyncDispose]()
  },
)

t.test('an index that lies is found, and made anew', async (t) => {
  for (const [suffix, at] of [
    ['.index', 7],
    ['.timeindex', 3],
    ['.timeindex', 11],
  ] as const) {
    const dataDir = copyOf(closed)
    const file = `logs-0/${FIRST}${suffix}`
    const good = readFileSync(join(dataDir, file))
    t.ok(good.length > 0)
    change(join(dataDir, file), at)
    t.same(await found(dataDir), [`damage ${file}: entry 0 does not fit its segment`])
    t.same(await repaired(dataDir), [])
    t.same(readFileSync(join(dataDir, file)), good)
  }
  const longer = copyOf(closed)
  writeFileSync(join(longer, `logs-0/${FIRST}.index`), Buffer.alloc(9), { flag: 'a' })
  t.match(await found(longer), [/^damage .*entry \d+ does not fit/])
  t.same(await repaired(longer), [])
  const missing = copyOf(closed)
  rmSync(join(missing, `logs-0/${FIRST}.index`))
  t.same(await found(missing), [], 'readers do without')
})

t.test('what a crash leaves is a note: a torn tail, leftovers, a deletion under way', async (t) => {
  const dataDir = copyOf(killed)
  const segments = readdirSync(join(dataDir, 'logs-1')).filter((name) => name.endsWith('.log'))
  const last = join('logs-1', segments.at(-1)!)
  writeFileSync(join(dataDir, last), Buffer.alloc(100, 7), { flag: 'a' })
  writeFileSync(join(dataDir, 'logs-0', `${FIRST}.log.deleted`), 'x')
  writeFileSync(join(dataDir, 'meta.json.tmp'), 'x')
  const findings = await found(dataDir)
  t.same(findings.sort(), [
    `note logs-0/${FIRST}.log.deleted: was left by work that was broken off`,
    `note ${last}: the last 100 bytes are no whole batch: a write was cut short, and not acknowledged`,
    'note meta.json.tmp: was left by work that was broken off',
  ])
})

t.test(
  'segments and partitions that are gone are told; a partition must be put back',
  async (t) => {
    const cut = copyOf(closed)
    const file = join(cut, `logs-0/${FIRST}.log`)
    truncateSync(file, statSync(file).size - 10)
    t.match(await found(cut), [/^damage logs-0\/.*: offsets 21 to 21 cannot be read/])
    t.match(await repaired(cut), [/^note .*known/])

    const gone = copyOf(closed)
    rmSync(join(gone, 'logs-1'), { recursive: true })
    t.same(await found(gone), [
      'damage logs-1: is gone, with records up to offset 1: put it back from a backup',
    ])
    await t.rejects(repaired(gone), /is gone, which held records/)

    const stranger = copyOf(closed)
    cpSync(join(stranger, 'logs-1'), join(stranger, 'other-0'), { recursive: true })
    t.same(await found(stranger), ['note other-0: belongs to no topic'])
  },
)

t.test('a checkpoint that is not what was written is damage, and written anew', async (t) => {
  const dataDir = copyOf(closed)
  change(join(dataDir, 'recovery-checkpoint'), 60)
  t.match(await found(dataDir), [/^damage recovery-checkpoint: is not what was written/])
  t.same(await repaired(dataDir), [])
})

t.test('a record of a table that says nothing is damage that nobody can repair', async (t) => {
  const dataDir = copyOf(closed)
  const store = await open(dataDir)
  const batch = new BatchBuilder()
  batch.append({ timestamp: 1, key: Buffer.from('k'), value: Buffer.from([0x92, 1]) })
  await store.writer.append(store.logs.get('__millrace_metadata', 0)!, batch.finish())
  await store[Symbol.asyncDispose]()
  t.match(await found(dataDir), [/^damage __millrace_metadata-0: offset \d+: /])
})

t.test(
  'a password record that says nothing is damage, and nobody shows what it says',
  async (t) => {
    const dataDir = copyOf(closed)
    const store = await open(dataDir)
    const batch = new BatchBuilder()
    const key = Buffer.from('scram/SCRAM-SHA-256/ann')
    batch.append({ timestamp: 1, key, value: pack({ salt: 'secret', iterations: 4096 }) })
    await store.writer.append(store.logs.get('__millrace_metadata', 0)!, batch.finish())
    await store[Symbol.asyncDispose]()
    const said = await found(dataDir)
    t.match(said, [/^damage __millrace_metadata-0: offset \d+: none of its values/])
    const warnings: string[] = []
    const onWarning = (message: string) => void warnings.push(message)
    await using again = await openStore({ dataDir, writer: 'inline', clock, onWarning })
    t.equal(again.scramCredentials.find('SCRAM-SHA-256', 'ann'), undefined)
    t.match(warnings.join(), /scram\/SCRAM-SHA-256\/ann/)
    t.notMatch([...said, ...warnings].join(), /secret/)
  },
)

t.test('a batch with a good checksum whose records nobody can read is damage', async (t) => {
  const dataDir = join(pristine, 'unreadable')
  const store = await open(dataDir)
  const config = { 'record.check': 'batch' }
  await store.topics.create({ name: 'trusting', partitionCount: 1, config })
  const log = store.logs.get('trusting', 0)!
  const wrong = Array.from(wrongRecords()).find(({ what }) => what === 'keyLength of record 1 -2')!
  for (const codec of ['none', 'zstd'] as const) {
    await store.writer.append(log, batchAround(rightRecords, codec))
    await store.writer.append(log, batchAround(wrong, codec))
  }
  await store.writer.append(log, batchOfPacked(Buffer.from('garbage'), 'gzip'))
  await store[Symbol.asyncDispose]()
  t.match(await found(dataDir), [
    /^damage trusting-0.*log: the batch at offset 3 .* record 1: the length of its key is -2/,
    /^damage trusting-0.*log: the batch at offset 9 .* record 1: the length of its key is -2/,
    /^damage trusting-0.*log: the batch at offset 12 .*: gzip/,
  ])
})

t.test('a compacted log is sound with its gaps, also where nobody vouches for them', async (t) => {
  const dataDir = tempDirectory(t)
  const idle = { isCompactionEnabled: false }
  const store = await openStore({
    dataDir,
    writer: 'inline',
    clock,
    cleaner: idle,
  })
  const config = {
    'cleanup.policy': 'compact',
    'segment.bytes': '2000',
    'index.interval.bytes': '300',
    'min.cleanable.dirty.ratio': '0',
    'file.delete.delay.ms': '0',
  }
  await store.topics.create({ name: 'latest', partitionCount: 1, config })
  const log = store.logs.get('latest', 0)!
  for (let i = 0; i < 200; i++) {
    const batch = new BatchBuilder()
    const key = Buffer.from(`key ${i % 7 === 0 ? i : 0}`)
    batch.append({ timestamp: clock.now(), key, value: Buffer.alloc(60, 'v') })
    await store.writer.append(log, batch.finish())
  }
  const sizeBefore = log.sizeBytes
  store.cleaner.configure({ isCompactionEnabled: true, backoffMs: 1 })
  while (log.sizeBytes > sizeBefore / 2) await clock.advance(5)
  await store[Symbol.asyncDispose]()
  t.same(await found(dataDir), [])
  rmSync(join(dataDir, 'recovery-checkpoint'))
  t.same(await found(dataDir), [])
  const segment = readdirSync(join(dataDir, 'latest-0')).find((name) => name.endsWith('.log'))!
  change(join(dataDir, 'latest-0', segment), 100)
  t.match(await found(dataDir), [/^damage latest-0/])
})

t.test('no flipped bit of a segment goes unnoticed, and none stops the search', async (t) => {
  const random = seededRandom(SEED)
  const dataDir = copyOf(closed)
  const files = readdirSync(dataDir, { recursive: true, encoding: 'utf8' }).filter(
    (name) => name.endsWith('.log') && statSync(join(dataDir, name)).size > 0,
  )
  for (let i = 0; i < FLIPS; i++) {
    const file = join(dataDir, files[random.below(files.length)]!)
    const good = readFileSync(file)
    const bad = Buffer.from(good)
    bad[random.below(bad.length)]! ^= 1 << random.below(8)
    writeFileSync(file, bad)
    const { findings } = await verify(dataDir)
    if (!findings.some(({ severity }) => severity === 'damage')) t.fail(`flip ${i} in ${file}`)
    writeFileSync(file, good)
  }
  t.same(await found(dataDir), [])
})

t.test('an overlay is a disk like another, and leaves the one below alone', async (t) => {
  const random = seededRandom(SEED)
  const base = new FaultyFs()
  base.makeDirectory('/d')
  const names = ['a', 'b', 'c'].map((name) => `/d/${name}`)
  const put = (fs: Fs, path: string, bytes: Uint8Array, at: number) => {
    const fd = fs.open(path, fs.stat(path) ? 'write' : 'create')
    fs.write(fd, bytes, at)
    fs.close(fd)
  }
  for (const name of names.slice(1)) put(base, name, Buffer.alloc(50, name), 0)
  const model = base.afterKill()
  const twin = new FaultyFs()
  twin.makeDirectory('/d')
  for (const name of names.slice(1)) put(twin, name, Buffer.alloc(50, name), 0)
  const overlay = new OverlayFs(model)
  const contentOf = (fs: Fs, path: string) => {
    const stat = fs.stat(path)
    if (!stat) return undefined
    const fd = fs.open(path, 'read')
    const bytes = Buffer.alloc(stat.sizeBytes + 5)
    const count = fs.read(fd, bytes, 0)
    fs.close(fd)
    return bytes.subarray(0, count).toString('latin1')
  }
  const before = names.map((name) => contentOf(model, name))
  for (let step = 0; step < 2000; step++) {
    const path = names[random.below(names.length)]!
    const to = names[random.below(names.length)]!
    const kind = random.below(5)
    const size = overlay.stat(path)?.sizeBytes
    const bytes = Buffer.alloc(1 + random.below(20), random.below(256))
    const at = random.below((size ?? 0) + 1)
    for (const fs of [overlay, twin]) {
      if (kind === 0 && size !== undefined && to !== path) fs.rename(path, to)
      else if (kind === 1 && size !== undefined) fs.removeFile(path)
      else if (kind === 2 && size !== undefined) {
        const fd = fs.open(path, 'write')
        fs.truncate(fd, at)
        fs.close(fd)
      } else put(fs, path, bytes, at)
    }
    const seen = names.map((name) => contentOf(overlay, name))
    const wanted = names.map((name) => contentOf(twin, name))
    if (seen.join('|') !== wanted.join('|')) t.fail(`step ${step}`)
    const listed = (fs: Fs) =>
      fs
        .readDirectory('/d')
        .map(({ name }) => name)
        .sort()
        .join()
    if (listed(overlay) !== listed(twin)) t.fail(`names at step ${step}`)
  }
  t.same(
    names.map((name) => contentOf(model, name)),
    before,
  )
})

t.teardown(() => running[Symbol.asyncDispose]())
