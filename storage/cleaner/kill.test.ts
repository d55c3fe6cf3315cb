// SIGKILL while a log is compacted, again and again: the latest acknowledged record of every key is there. And a
// million keys in a map that has room for a fraction of them.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { VirtualClock } from '../../broker/testing/virtual-clock.ts'
import { budget } from '../../protocol/testing/budget.ts'
import { SEED } from '../../protocol/testing/seed.ts'
import { systemClock } from '../clock.ts'
import type { LogView } from '../read/log-view.ts'
import { openStore } from '../open-store.ts'
import { compactedTopic, recordOf } from '../testing/compacted-child.ts'
import { keyedBatch, KeyedLog, readKeyed } from '../testing/keyed-log.ts'
import { seededRandom } from '../testing/random.ts'
import { tempDirectory } from '../testing/store-kit.ts'

const KILLS = budget(2, 16, 'KILLS')
/** From the first compaction to the kill. */
const LOAD_MS_MAX = 60
const MIB = 2 ** 20

/** Enough for a machine that does much else. */
t.setTimeout(110_000)

/** The child's output before the kill, whole lines only. */
async function runAndKill(dataDir: string, run: number, delayMs: number): Promise<string[]> {
  const script = fileURLToPath(new URL('../testing/compacted-child.js', import.meta.url))
  // Without the loader that tap puts into NODE_OPTIONS of every child, at 0.2 s each.
  const command = ['env', '-u', 'NODE_OPTIONS', process.execPath, script, dataDir, String(run)]
  const [program, ...args] = process.platform === 'win32' ? command.slice(3) : command
  const child = spawn(program!, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  const closed = once(child, 'close')
  let said = ''
  let isDue = false
  child.stdout.setEncoding('latin1').on('data', (chunk: string) => {
    said += chunk
    if (isDue || !said.includes('C\n')) return
    isDue = true
    void setTimeout(delayMs).then(() => child.kill('SIGKILL')) // the parent waits for the end
  })
  const [code, signal] = await closed
  if (signal !== 'SIGKILL') throw new Error(`the child ended by itself: ${code ?? signal}`)
  return said.split('\n').slice(0, -1)
}

t.test(
  `the latest record of every key survives ${KILLS} kills in the middle of compactions`,
  async (t) => {
    t.comment(`SEED=${SEED}`)
    const random = seededRandom(SEED)
    const dataDir = tempDirectory(t)
    const model = new KeyedLog()
    for (let run = 0; run < KILLS; run++) {
      const lines = await runAndKill(dataDir, run, random.below(LOAD_MS_MAX))
      for (const [kind, offset, sequence] of lines.map((line) => line.split(' '))) {
        if (kind === 'A') model.note([recordOf(run, Number(sequence))], Number(offset))
      }
      const cleaner = { isCompactionEnabled: false }
      const store = await openStore({
        dataDir,
        writer: 'inline',
        clock: new VirtualClock(),
        cleaner,
      })
      t.equal(store.recovery.corruptBatchCount, 0)
      const seen = await readKeyed(store.reader, store.logs.get(compactedTopic, 0)!)
      // What was written and not acknowledged may be there, too.
      for (const { offset, ...record } of seen) {
        if (!model.written.has(offset)) model.note([record], offset)
      }
      t.strictSame(model.flaws(seen).slice(0, 3), [], `kill ${run}: ${model.written.size} records`)
      await store[Symbol.asyncDispose]()
    }
  },
)

t.test('more keys than the map holds are compacted: a million with the full budget', async (t) => {
  const keyCount = budget(50_000, 1_000_000)
  const share = keyCount / 1_000_000
  const batchRecords = 1000
  const cleaner = {
    isCompactionEnabled: false,
    backoffMs: 1,
    dedupeBufferBytes: 8 * MIB * share,
  }
  const store = await openStore({
    dataDir: tempDirectory(t),
    writer: 'thread',
    clock: systemClock,
    cleaner,
  })
  const config = {
    'cleanup.policy': 'compact',
    'flush.policy': 'os',
    'segment.bytes': String(Math.round(4 * MIB * share)),
    'min.cleanable.dirty.ratio': '0',
  }
  await store.topics.create({ name: 'many', partitionCount: 1, config })
  const log = store.logs.get('many', 0) as LogView
  const latest = new Uint32Array(keyCount)
  for (let first = 0; first < 1.2 * keyCount; first += batchRecords) {
    const records = Array.from({ length: batchRecords }, (_, i) => {
      const key = ((first + i) * 7919) % keyCount
      latest[key] = first + i
      return { key: String(key), value: 'v', timestamp: 0 }
    })
    await store.writer.append(log, keyedBatch(records))
  }
  store.cleaner.configure({ isCompactionEnabled: true })
  const activeBase = () => log.segments.at(-1)!.baseOffset
  while (log.firstDirtyOffset < activeBase()) await setTimeout(20)
  const seen = await readKeyed(store.reader, log)
  const isDropped = ({ offset, key }: { offset: number; key: string }) =>
    latest[Number(key)] !== offset
  t.equal(seen.length, keyCount + seen.filter(isDropped).length, 'every key is there')
  t.equal(
    seen.filter(
      (each) =>
        isDropped(each) &&
        each.offset < log.firstDirtyOffset &&
        latest[Number(each.key)]! < log.firstDirtyOffset,
    ).length,
    0,
    'once',
  )
  t.ok(
    store.cleaner.counts.compaction.passes >= 3,
    `${store.cleaner.counts.compaction.passes} passes`,
  )
  await store[Symbol.asyncDispose]()
})
