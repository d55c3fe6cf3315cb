// SIGKILL under load, again and again: what was acknowledged is there. The journal is kept by the process that kills.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { openStore } from './open-store.ts'
import { killValue } from './testing/kill-child.ts'
import { seededRandom } from './testing/random.ts'
import { readRecords, tempDirectory } from './testing/store-kit.ts'

const SEED = Number(process.env['SEED'] ?? Date.now() % 1_000_000)
const KILLS = Number(process.env['KILLS'] ?? 50)
/** From the first acknowledgement to the kill. */
const LOAD_MS_MAX = 40
/** One kill in so many comes while the child starts. */
const START_KILLS_EVERY = 5
const START_MS_MAX = 250

/** What the child said before it was killed, whole lines only. */
async function runAndKill(
  dataDir: string,
  run: number,
  killDuringStart: boolean,
  delayMs: number,
): Promise<string[]> {
  const script = fileURLToPath(new URL('testing/kill-child.js', import.meta.url))
  const child = spawn(process.execPath, [script, dataDir, String(run)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const closed = once(child, 'close')
  let said = ''
  let timer: NodeJS.Timeout | undefined
  const killSoon = () => {
    timer ??= setTimeout(() => child.kill('SIGKILL'), delayMs)
  }
  if (killDuringStart) killSoon()
  child.stdout.setEncoding('latin1').on('data', (chunk: string) => {
    said += chunk
    if (said.includes('A ')) killSoon()
  })
  const [code, signal] = await closed
  if (signal !== 'SIGKILL') throw new Error(`the child ended by itself: ${code ?? signal}`)
  return said.split('\n').slice(0, -1)
}

t.test(
  `no acknowledged record is lost in ${KILLS} kills, offsets are dense, ids are not given out twice`,
  async (t) => {
    t.comment(`SEED=${SEED}`)
    const random = seededRandom(SEED)
    const dataDir = tempDirectory(t)
    const acknowledged = [new Map<number, string>(), new Map<number, string>()]
    const producerIds: string[] = []
    const topics: string[] = []
    let twiceCount = 0
    let loadedCount = 0
    for (let run = 0; run < KILLS; run++) {
      const killDuringStart = run % START_KILLS_EVERY === 1
      const delayMs = random.below(killDuringStart ? START_MS_MAX : LOAD_MS_MAX)
      const lines = await runAndKill(dataDir, run, killDuringStart, delayMs)
      for (const [kind, ...words] of lines.map((line) => line.split(' '))) {
        if (kind === 'P') producerIds.push(words[0]!)
        if (kind === 'T') topics.push(words[0]!)
        if (kind !== 'A') continue
        const [partition, offset, sequence] = words.map(Number) as [number, number, number]
        if (acknowledged[partition]!.has(offset)) twiceCount++
        acknowledged[partition]!.set(offset, killValue(run, sequence))
      }
      if (lines.some((line) => line.startsWith('A '))) loadedCount++
    }
    t.equal(twiceCount, 0, 'an offset is acknowledged once')
    t.equal(new Set(producerIds).size, producerIds.length, `${producerIds.length} producer ids`)
    t.ok(loadedCount >= KILLS * 0.6, `${loadedCount} kills under load`)

    await using store = await openStore({ dataDir, writer: 'inline' })
    t.notOk(store.recovery.cleanStart)
    t.equal(store.recovery.corruptBatchCount, 0)
    for (const [partition, journal] of acknowledged.entries()) {
      const log = store.log('kill', partition)!
      const records = await readRecords(log, 0, 1024 * 1024)
      t.strictSame(
        records.filter(({ offset }, i) => offset !== i),
        [],
        'offsets are dense',
      )
      const lost = [...journal].filter(([offset, value]) => records[offset]?.value !== value)
      t.strictSame(
        lost.slice(0, 3),
        [],
        `${journal.size} acknowledged records of ${records.length} in partition ${partition}`,
      )
      t.equal(
        new Set(records.map(({ value }) => value)).size,
        records.length,
        'no value is there twice',
      )
    }
    t.strictSame(
      topics.filter((name) => !store.topics.get(name) || !store.log(name, 0)),
      [],
      `${topics.length} topics`,
    )
  },
)
