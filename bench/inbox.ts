// The way to the writer and back without a network: a fixed number of appends in flight; each is put again when it is
// answered, as by that many connections. Without syncs the figures show the way itself.

import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { systemClock } from '../storage/clock.ts'
import { logConfig, parseTopicConfig } from '../storage/config.ts'
import { realFs } from '../storage/fs.ts'
import { uniqueBatch } from '../storage/testing/stored-log.ts'
import type { Command, Outcome, TurnResult } from '../storage/writer/commands.ts'
import { InlineWriterPort, type WriterEvents, type WriterPort } from '../storage/writer/port.ts'
import { startWriterThread } from '../storage/writer/thread.ts'
import { LogWriter } from '../storage/writer/writer.ts'
import type { Bench, Row } from './report.ts'
import type { LogConfig } from '../storage/log-facts.ts'

const ROUNDS = 6
const ROUND_MS = 250
const KIB = 1024
const INBOX_BYTES = 32 * KIB * KIB

const config = logConfig(parseTopicConfig({}))

type Start = (dataDir: string, events: WriterEvents) => WriterPort
const places: [name: string, start: Start][] = [
  [
    'own thread',
    (dataDir, events) => startWriterThread({ dataDir, inboxBytesMax: INBOX_BYTES }, events),
  ],
  [
    'same thread',
    (dataDir, events) =>
      new InlineWriterPort(
        new LogWriter({ fs: realFs, clock: systemClock, dataDir }),
        systemClock,
        INBOX_BYTES,
        events,
      ),
  ],
]

const loads: [policy: LogConfig['flushPolicy'], batchBytes: number, inFlight: number][] = [
  ['os', KIB, 16],
  ['os', 16 * KIB, 16],
  ['os', 64 * KIB, 16],
  ['fsync', 16 * KIB, 1],
  ['fsync', 16 * KIB, 16],
]

export const inbox: Bench = {
  name: 'inbox',
  title: `appends to one partition without a network, best of ${ROUNDS} rounds`,

  async *run(dir) {
    for (const [policy, batchBytes, inFlight] of loads) {
      for (const [name, start] of places) {
        const dataDir = join(dir, `${name}-${policy}-${batchBytes}-${inFlight}`)
        mkdirSync(dataDir)
        const title = `${name}, ${inFlight} x ${batchBytes / KIB} KiB, ${policy}`
        yield await measure(title, (events) => start(dataDir, events), policy, batchBytes, inFlight)
      }
    }
  },
}

async function measure(
  title: string,
  start: (events: WriterEvents) => WriterPort,
  flushPolicy: LogConfig['flushPolicy'],
  batchBytes: number,
  inFlight: number,
): Promise<Row> {
  const asker = new WriterUser(start)
  const logs = [{ slot: 0, directory: 'bench-0', config: { ...config, flushPolicy }, create: true }]
  await asker.ask({ kind: 'open', id: 0, logs })
  const batch = uniqueBatch(1, 1, batchBytes - 80)
  await asker.appendFor(ROUND_MS, batch, inFlight)
  let cpuUsEach = Infinity
  let perSecond = 0
  let perTurn = 0
  for (let round = 0; round < ROUNDS; round++) {
    const cpu = process.cpuUsage()
    const { count, seconds, turnCount } = await asker.appendFor(ROUND_MS, batch, inFlight)
    const { user, system } = process.cpuUsage(cpu)
    cpuUsEach = Math.min(cpuUsEach, (user + system) / count)
    perSecond = Math.max(perSecond, count / seconds)
    perTurn = count / turnCount
  }
  await asker.ask({ kind: 'close', id: Number.MAX_SAFE_INTEGER, clean: true })
  await asker.port.stop()
  return {
    title,
    figures: [
      { name: '', value: perSecond / 1000, unit: 'k batches/s' },
      { name: '', value: cpuUsEach, unit: 'us CPU each' },
      { name: '', value: perTurn, unit: 'a turn' },
    ],
  }
}

class WriterUser {
  readonly port: WriterPort
  #hear: (result: TurnResult) => void = () => {}
  #nextId = 1

  constructor(start: (events: WriterEvents) => WriterPort) {
    this.port = start({
      onResult: (result) => this.#hear(result),
      onDrain: () => {},
      onDeath: (error) => {
        throw error
      },
    })
  }

  ask(command: Command): Promise<Outcome> {
    return new Promise((resolve) => {
      this.#hear = ({ outcomes }) => outcomes.forEach(resolve)
      this.port.inbox.put(command)
    })
  }

  appendFor(
    ms: number,
    batch: Uint8Array,
    inFlight: number,
  ): Promise<{ count: number; seconds: number; turnCount: number }> {
    const startMs = performance.now()
    const put = () => this.port.inbox.put({ kind: 'append', id: this.#nextId++, slot: 0, batch })
    let count = 0
    let turnCount = 0
    let flying = inFlight
    return new Promise((resolve) => {
      this.#hear = ({ outcomes }) => {
        count += outcomes.length
        if (outcomes.length > 0) turnCount++
        const elapsedMs = performance.now() - startMs
        if (elapsedMs < ms) return outcomes.forEach(put)
        flying -= outcomes.length
        if (flying === 0) resolve({ count, seconds: elapsedMs / 1000, turnCount })
      }
      for (let i = 0; i < inFlight; i++) put()
    })
  }
}
