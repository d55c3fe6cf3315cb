// SIGKILL under load, again and again: acknowledged records are there, and repeated ones of an idempotent producer
// are there once. The killing process keeps the journal.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { VirtualClock } from '../broker/testing/virtual-clock.ts'
import { budget } from '../protocol/testing/budget.ts'
import { SEED } from '../protocol/testing/seed.ts'
import { openStore } from './open-store.ts'
import { killValue, onceBatch } from './testing/kill-child.ts'
import { seededRandom, type Random } from './testing/random.ts'
import { readRecords, tempDirectory } from './testing/store-kit.ts'

/** Enough for a machine that does much else. */
const TIMEOUT_MS = 110_000
const KILLS = budget(6, 60, 'KILLS')
/** Killed at the same time, for there is more than one core. */
const DIRECTORIES = 2
/** From the first acknowledgement to the kill. */
const LOAD_MS_MAX = 40
/** Every fifth kill comes while the child starts. */
const START_KILLS_EVERY = 5
const START_MS_MAX = 250

/** The child's output before the kill, whole lines only. */
async function runAndKill(
  { dataDir, onceNext }: Journal,
  run: number,
  killDuringStart: boolean,
  delayMs: number,
): Promise<string[]> {
  const script = fileURLToPath(new URL('testing/kill-child.js', import.meta.url))
  // Without the loader that tap puts into NODE_OPTIONS of every child, at 0.2 s each.
  const numbers = [run, ...onceNext].map(String)
  const command = ['env', '-u', 'NODE_OPTIONS', process.execPath, script, dataDir, ...numbers]
  const [program, ...args] = process.platform === 'win32' ? command.slice(3) : command
  const child = spawn(program!, args, { stdio: ['ignore', 'pipe', 'inherit'] })
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

/** The acknowledgements of one data directory, over all its runs. */
class Journal {
  readonly dataDir: string
  /** By partition: offset -> value. */
  readonly records = [new Map<number, string>(), new Map<number, string>()]
  readonly producerIds: number[] = []
  readonly topics: string[] = []
  /** By partition: batch of the idempotent producer -> offset. */
  readonly once = [new Map<number, number>(), new Map<number, number>()]
  /** Offsets that were acknowledged twice. */
  twiceCount = 0
  /** Kills that came after an acknowledgement. */
  loadedCount = 0

  constructor(dataDir: string) {
    this.dataDir = dataDir
  }

  /** By partition: the first batch of the idempotent producer that was not acknowledged. */
  get onceNext(): number[] {
    return this.once.map((acknowledged) => {
      let next = 0
      while (acknowledged.has(next)) next++
      return next
    })
  }

  note(run: number, lines: readonly string[]): void {
    if (lines.some((line) => line.startsWith('A '))) this.loadedCount++
    for (const [kind, first = '', offset, sequence] of lines.map((line) => line.split(' '))) {
      if (kind === 'P') this.producerIds.push(Number(first))
      if (kind === 'T') this.topics.push(first)
      if (kind === 'O') this.once[Number(first)]!.set(Number(offset), Number(sequence))
      if (kind !== 'A') continue
      const records = this.records[Number(first)]!
      if (records.has(Number(offset))) this.twiceCount++
      records.set(Number(offset), killValue(run, Number(sequence)))
    }
  }
}

async function killAgainAndAgain(journal: Journal, random: Random): Promise<void> {
  for (let run = 0; run < KILLS / DIRECTORIES; run++) {
    const killDuringStart = run % START_KILLS_EVERY === 1
    const delayMs = random.below(killDuringStart ? START_MS_MAX : LOAD_MS_MAX)
    journal.note(run, await runAndKill(journal, run, killDuringStart, delayMs))
  }
}

t.setTimeout(TIMEOUT_MS)

t.test(
  `no acknowledged record is lost in ${KILLS} kills, offsets are dense, ids are not given out twice`,
  async (t) => {
    t.comment(`SEED=${SEED}`)
    const journals = Array.from({ length: DIRECTORIES }, () => new Journal(tempDirectory(t)))
    await Promise.all(
      journals.map((journal, i) => killAgainAndAgain(journal, seededRandom(SEED + i))),
    )
    for (const journal of journals) {
      const { dataDir, producerIds, topics, loadedCount } = journal
      t.equal(journal.twiceCount, 0, 'an offset is acknowledged once')
      t.equal(new Set(producerIds).size, producerIds.length, `${producerIds.length} producer ids`)
      t.ok(loadedCount >= (KILLS / DIRECTORIES) * 0.6, `${loadedCount} kills under load`)

      await using store = await openStore({ dataDir, writer: 'inline', clock: new VirtualClock() })
      t.notOk(store.recovery.cleanStart)
      t.equal(store.recovery.corruptBatchCount, 0)
      for (const [partition, acknowledged] of journal.records.entries()) {
        const records = await readRecords(
          store.reader,
          store.logs.get('kill', partition)!,
          0,
          1024 * 1024,
        )
        t.strictSame(
          records.filter(({ offset }, i) => offset !== i),
          [],
          'offsets are dense',
        )
        const lost = Array.from(acknowledged).filter(
          ([offset, value]) => records[offset]?.value !== value,
        )
        t.strictSame(
          lost,
          [],
          `${acknowledged.size} acknowledged records of ${records.length} in partition ${partition}`,
        )
        t.equal(
          new Set(records.map(({ value }) => value)).size,
          records.length,
          'no value is there twice',
        )
      }
      for (const [partition, acknowledged] of journal.once.entries()) {
        const records = await readRecords(
          store.reader,
          store.logs.get('once', partition)!,
          0,
          1024 * 1024,
        )
        const where = `${acknowledged.size} batches of the idempotent producer in partition ${partition}`
        t.strictSame(
          records.filter(({ value }, i) => value !== String(i)),
          [],
          `${where}: each record is there once, in order`,
        )
        const elsewhere = [...acknowledged].filter(([number, at]) => onceBatch(number).first !== at)
        t.strictSame(elsewhere, [], `${where}: where their acknowledgements say`)
        const last = onceBatch(journal.onceNext[partition]!)
        t.ok(records.length >= last.first, `${where}: all of them`)
      }
      t.strictSame(
        topics.filter((name) => !store.logs.get(name, 0)),
        [],
        `${topics.length} topics`,
      )
    }
  },
)
