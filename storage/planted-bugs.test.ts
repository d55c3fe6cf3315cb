// Planted bugs: for each family of assertions a bug that it stops, at its likely place. Mistakes of a broker towards
// its clients have planted bugs of their own: broker/testing/workload/planted-bugs.ts.

import { AssertionError } from 'node:assert'
import { MessageChannel } from 'node:worker_threads'
import t, { type Test } from '../protocol/testing/tap.ts'
import { VirtualClock } from '../broker/testing/virtual-clock.ts'
import { Offset } from '../protocol/ids.ts'
import { systemClock } from './clock.ts'
import { realFs } from './fs.ts'
import { openStore } from './open-store.ts'
import { defaultProducerLimits } from './producers/producer-state.ts'
import { LogView } from './read/log-view.ts'
import { RecoveredSegment } from './recovery/recovered-segment.ts'
import { recoverLog } from './recovery/recover-log.ts'
import { emptySegment, Segment } from './segment/segment.ts'
import type { Store } from './store.ts'
import { LogTable } from './tables/log-table.ts'
import { DATA, LogWriterWorld, roomy } from './testing/log-writer-world.ts'
import { appendValues, batchOf, tempDirectory } from './testing/store-kit.ts'
import { newDisk } from './testing/writer-world.ts'
import type { Append } from './writer/commands.ts'
import { createInboxMemory, InboxQueue, InboxReceiver, InboxSender } from './writer/inbox.ts'
import type { WriterEvents, WriterPort } from './writer/port.ts'
import { WriterClient } from './writer/writer-client.ts'

interface PlantedBug {
  readonly name: string
  readonly assertion: RegExp
  readonly plant: (t: Test) => unknown
}

async function logWithRecords(t: Test): Promise<{ store: Store; log: LogView }> {
  const clock = new VirtualClock()
  const store = await openStore({ dataDir: tempDirectory(t), writer: 'inline', clock })
  t.teardown(() => store[Symbol.asyncDispose]())
  await store.topics.create({ name: 'a', partitionCount: 1 })
  const log = store.logs.get('a', 0) as LogView
  await appendValues(store, log, ['x', 'y', 'z'])
  return { store, log }
}

/** The writer's state of the log, if nothing had changed. */
function stateOf({ slot, logStartOffset, lastStableOffset, highWatermark, logEndOffset }: LogView) {
  const active = { activeBytesVisible: 0, activeAbortedCount: 0 }
  return { slot, logStartOffset, lastStableOffset, highWatermark, logEndOffset, ...active }
}

function newInbox(t: Test) {
  const { port1, port2 } = new MessageChannel()
  t.teardown(() => port1.close())
  const memory = createInboxMemory(10_000)
  const receiver = () => new InboxReceiver({ memory, side: port2 })
  return { sender: new InboxSender({ memory, side: port1 }), receiver }
}

const append = (id: number): Append => ({
  kind: 'append',
  id,
  slot: 0,
  batch: batchOf([{ value: 'x' }]),
})

const bugs: readonly PlantedBug[] = [
  {
    name: 'a buffer is used again while the batch in it is staged',
    assertion: /offsets are dense/,
    plant: () => {
      const world = new LogWriterWorld()
      const batch = batchOf([{ value: 'x' }])
      world.append(batch, batch)
    },
  },
  {
    name: 'a batch is noted twice in its segment',
    assertion: /in the order of their offsets/,
    plant: () => {
      const segment = Segment.create(newDisk(), DATA, 0, 0)
      const facts = { lastOffset: 3, sizeBytes: 100, maxTimestamp: -1, checksum: 0 }
      segment.note(facts, 0, 4096)
      segment.note(facts, 100, 4096)
    },
  },
  {
    name: 'the writer takes a high watermark back',
    assertion: /watermarks only rise/,
    plant: async (t) => {
      const { log } = await logWithRecords(t)
      log.update({ ...stateOf(log), highWatermark: 2, lastStableOffset: 2 })
    },
  },
  {
    name: 'the last stable offset passes the high watermark',
    assertion: /last stable offset <= high watermark/,
    plant: async (t) => {
      const { log } = await logWithRecords(t)
      log.update({ ...stateOf(log), lastStableOffset: 4 })
    },
  },
  {
    name: 'another segment than the active one rolls',
    assertion: /the active segment is the one that rolls/,
    plant: async (t) => {
      const { log } = await logWithRecords(t)
      log.roll({ baseOffset: 1, sizeBytes: 10, maxTimestamp: 0, abortedCount: 0 }, 3)
    },
  },
  {
    name: 'the writer answers twice',
    assertion: /somebody waits for each answer, once/,
    plant: () => {
      let events: WriterEvents | undefined
      const connect = (given: WriterEvents): WriterPort => {
        events = given
        return { inbox: { put() {}, isFull: false, bytesUsed: 0 }, stop: async () => {} }
      }
      const client = new WriterClient({ connect, onResult() {} })
      void client.write(0, append(1).batch)
      const outcomes = [{ id: 1, baseOffset: 0, logAppendTimeMs: -1 }]
      const counts = { batchCount: 1, batchBytes: 9, writeSeconds: 0, syncSeconds: 0 }
      const result = { outcomes, states: [], rolled: [], swapped: [], dropped: [], ...counts }
      events!.onResult(result)
      events!.onResult(result)
    },
  },
  {
    name: 'a command overtakes another in the inbox',
    assertion: /in the order in which they were put/,
    plant: (t) => {
      const { sender, receiver } = newInbox(t)
      for (const id of [1, 3, 2]) sender.put(append(id))
      receiver().drain()
    },
  },
  {
    name: 'the writer gives memory of the inbox back twice',
    assertion: /no more than it was given/,
    plant: (t) => {
      const { sender, receiver } = newInbox(t)
      const queue = new InboxQueue(sender, 10_000)
      const receivers = [receiver(), receiver()]
      queue.put(append(1))
      for (const each of receivers) each.drain()
      for (const each of receivers) each.release()
      queue.settle()
    },
  },
  {
    name: 'recovery takes a batch back that it has taken over',
    assertion: /a segment only grows/,
    plant: () => {
      const disk = newDisk()
      const segment = new RecoveredSegment(disk, new Segment(disk, DATA, 0, emptySegment(0)))
      segment.adopt({ lastOffset: 3, sizeBytes: 100, maxTimestamp: -1, checksum: 0 }, 0, 4096)
      segment.skipTo(50, 2)
    },
  },
  {
    name: 'a checkpoint says that a segment ends before it begins',
    assertion: /pass 1 of the recovery of .* moves the end/,
    plant: () => {
      const disk = newDisk()
      disk.makeDirectory(`${DATA}/a-0`)
      Segment.create(disk, `${DATA}/a-0`, 0, 5)
      recoverLog({
        fs: disk,
        clock: systemClock,
        path: `${DATA}/a-0`,
        config: roomy,
        checkpoint: {
          directory: 'a-0',
          isClosed: true,
          logStartOffset: 5,
          durableOffset: 5,
          segments: [{ ...emptySegment(5), endOffset: 2 }],
          epochs: [],
          quarantined: [],
          hasProducers: false,
        },
        distrustsCache: false,
        producerLimits: defaultProducerLimits,
      })
    },
  },
  {
    name: 'changes of a table are told out of order',
    assertion: /in the order of the log/,
    plant: async (t) => {
      const { log } = await logWithRecords(t)
      const told = async () => ({ baseOffset: 7, logAppendTimeMs: -1 })
      const table = await LogTable.open<string, string>({
        fs: realFs,
        log,
        append: told,
        endTransaction: told,
        clock: systemClock,
        warn() {},
      })
      await table.put('a', 'first')
      await table.put('a', 'second')
    },
  },
  {
    name: 'a buffer of a read is given back twice',
    assertion: /released once/,
    plant: async (t) => {
      const { store, log } = await logWithRecords(t)
      const read = await store.reader.read(log, Offset(0), { bytesMax: 1000, atLeastOne: true })
      read.release()
      read.release()
    },
  },
]

for (const { name, assertion, plant } of bugs) {
  t.test(`an assertion stops a store in which ${name}`, async (t) => {
    const thrown = await (async () => plant(t))().then(
      () => undefined,
      (error: unknown) => error,
    )
    t.ok(thrown instanceof AssertionError, String(thrown))
    t.match(thrown, { message: assertion })
  })
}
