// The ring between the threads: order, bounds, wrapping, commands too large for it; also with the writer's end in
// another thread.

import { strict as assert } from 'node:assert'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { MessageChannel } from 'node:worker_threads'
import fc from 'fast-check'
import t, { type Test } from '../../protocol/testing/tap.ts'
import { systemClock } from '../clock.ts'
import { realFs } from '../fs.ts'
import { storedBatches, uniqueBatch } from '../testing/stored-log.ts'
import { smallConfig } from '../testing/writer-world.ts'
import type { Append, Command, Outcome, TurnResult } from './commands.ts'
import { createInboxMemory, InboxReceiver, InboxSender } from './inbox.ts'
import { InlineWriterPort, type WriterEvents, type WriterPort } from './port.ts'
import { startWriterThread } from './thread.ts'
import { LogWriter } from './writer.ts'

/** Both ends in this thread. */
function newInbox(t: Test, bytesMax: number): { sender: InboxSender; receiver: InboxReceiver } {
  const { port1, port2 } = new MessageChannel()
  t.teardown(() => port1.close())
  const memory = createInboxMemory(bytesMax)
  return {
    sender: new InboxSender({ memory, side: port1 }),
    receiver: new InboxReceiver({ memory, side: port2 }),
  }
}

function append(id: number, sizeBytes: number): Append {
  const batch = Buffer.alloc(sizeBytes, id)
  return {
    kind: 'append',
    id,
    slot: id % 7,
    batch,
    isTransactionV2: id % 3 === 0,
    isChecked: id % 2 === 0,
  }
}

function copyOf(command: Command): Command {
  return command.kind === 'append' ? { ...command, batch: Buffer.from(command.batch) } : command
}

t.test('what waits beside the ring is bounded as well', async (t) => {
  const { port1, port2 } = new MessageChannel()
  t.teardown(() => port1.close())
  const memory = createInboxMemory(400)
  const sender = new InboxSender({ memory, side: port1 }, 1000)
  const receiver = new InboxReceiver({ memory, side: port2 })
  t.ok(sender.put(append(1, 5000)), 'the first batch, however large')
  t.notOk(sender.put(append(2, 200)))
  t.ok(sender.put({ kind: 'trim', id: 3, slot: 0, logStartOffset: 0 }), 'a command without a batch')
  t.equal(receiver.drain().length, 2)
  receiver.release()
  t.equal(sender.bytesUsed, 0)
  t.ok(sender.put(append(4, 600)))
  t.ok(sender.put(append(5, 400)), 'just so')
  t.notOk(sender.put(append(6, 1)))
})

t.test('no inbox is so large that a position in it is no int32', async (t) => {
  t.ok(createInboxMemory(1.25 * 0x7fffffff).byteLength <= 0x7fffffff)
})

t.test('what is put comes out, in order and unharmed, whatever is done between', async (t) => {
  const actions = fc.array(
    fc.oneof(
      { weight: 6, arbitrary: fc.nat(400).map((sizeBytes) => ({ act: 'append', sizeBytes })) },
      { weight: 1, arbitrary: fc.constant({ act: 'trim', sizeBytes: 0 }) },
      { weight: 2, arbitrary: fc.constant({ act: 'drain', sizeBytes: 0 }) },
      { weight: 2, arbitrary: fc.constant({ act: 'release', sizeBytes: 0 }) },
    ),
    { maxLength: 120 },
  )
  const check = fc.property(actions, fc.integer({ min: 1, max: 1200 }), (acts, ringBytes) => {
    const { sender, receiver } = newInbox(t, ringBytes)
    const put: Command[] = []
    let drained: Command[] = []
    let doneCount = 0
    let nextId = 0
    const drain = () => {
      if (put.length === doneCount + drained.length) return // it would sleep
      drained.push(...receiver.drain())
      assert.deepEqual(drained.map(copyOf), put.slice(doneCount), 'nothing was overwritten')
    }
    const release = () => {
      receiver.release()
      doneCount += drained.length
      drained = []
    }
    for (const { act, sizeBytes } of acts) {
      if (act === 'drain') drain()
      else if (act === 'release') release()
      else {
        const id = nextId++
        const command: Command =
          act === 'append'
            ? append(id, sizeBytes)
            : { kind: 'trim', id, slot: 1, logStartOffset: id }
        if (sender.put(command)) put.push(copyOf(command))
        else assert(put.length > doneCount, 'an empty inbox takes anything')
      }
    }
    drain()
    release()
    assert.equal(doneCount, put.length)
    assert.equal(sender.bytesUsed, 0)
  })
  const acts = ['append', 'append', 'drain', 'release'].map((act) => ({ act, sizeBytes: 0 }))
  const inTheMiddle: [typeof acts, number] = [[...acts, { act: 'append', sizeBytes: 17 }], 65]
  fc.assert(check, { numRuns: 300, examples: [inTheMiddle] })
  t.pass()
})

t.test('large batches come out as they were put', async (t) => {
  const { sender, receiver } = newInbox(t, 1024 * 1024)
  const batches = [4095, 4096, 4097, 100_001].map((sizeBytes) =>
    Buffer.from(Uint8Array.from({ length: sizeBytes }, (_, i) => i * 31 + (i >> 8))),
  )
  for (const [id, batch] of batches.entries()) {
    t.ok(sender.put({ kind: 'append', id, slot: 0, batch }))
  }
  const drained = receiver.drain().map((command) => (command as Append).batch)
  t.ok(drained.every((batch, i) => Buffer.compare(batch, batches[i]!) === 0))
})

t.test('an inbox that is full refuses, and takes more once the writer is done', async (t) => {
  const { sender, receiver } = newInbox(t, 1024)
  let count = 0
  while (sender.put(append(count, 100))) count++
  t.ok(count >= 7, `${count} of 124 bytes each`)
  t.equal(receiver.drain().length, count)
  t.notOk(sender.put(append(99, 100)), 'what is drained is still being written')
  receiver.release()
  t.ok(sender.put(append(99, 100)))
  t.match(receiver.drain(), [{ id: 99 }])
})

const ports: Record<string, (dataDir: string, events: WriterEvents) => WriterPort> = {
  'a thread': (dataDir, events) => startWriterThread({ dataDir, inboxBytesMax: 4096 }, events),
  'this thread': (dataDir, events) =>
    new InlineWriterPort(
      new LogWriter({ fs: realFs, clock: systemClock, dataDir }),
      systemClock,
      4096,
      events,
    ),
}

for (const [place, start] of Object.entries(ports)) {
  t.test(
    `with the writer in ${place}: all is answered in order, also more than the inbox holds`,
    async (t) => {
      const dataDir = mkdtempSync(join(tmpdir(), 'millrace-inbox-'))
      t.teardown(() => rmSync(dataDir, { recursive: true, force: true }))
      const answers = new Map<number, (outcome: Outcome) => void>()
      let drainCount = 0
      const port = start(dataDir, {
        onResult: ({ outcomes }: TurnResult) => {
          for (const outcome of outcomes) answers.get(outcome.id)!(outcome)
        },
        onDrain: () => drainCount++,
        onDeath: (error) => t.fail(error.message),
      })
      let nextId = 0
      const ask = (command: Command) => {
        const answer = new Promise<Outcome>((resolve) => answers.set(command.id, resolve))
        port.inbox.put(command)
        return answer
      }
      const config = { ...smallConfig, segmentBytesMax: 100_000 }
      const logs = [{ slot: 3, directory: 'a-0', config, create: true }]
      await ask({ kind: 'open', id: nextId++, logs })
      const sizes = Array.from({ length: 300 }, (_, i) => (i % 50 === 7 ? 5000 : (i * 37) % 600))
      const batches = sizes.map((sizeBytes, i) => uniqueBatch(i, 1, sizeBytes))
      const scratch = Buffer.alloc(6000)
      const outcomes = batches.map((batch) => {
        // The caller's buffer is used again at once.
        const borrowed = scratch.subarray(0, batch.length)
        borrowed.set(batch)
        return ask({ kind: 'append', id: nextId++, slot: 3, batch: borrowed })
      })
      t.ok(port.inbox.isFull)
      t.strictSame(
        (await Promise.all(outcomes)).map(({ baseOffset }) => baseOffset),
        batches.map((_, i) => i),
      )
      t.notOk(port.inbox.isFull)
      t.equal(port.inbox.bytesUsed, 0)
      t.equal(drainCount, 1)
      const closed = await ask({ kind: 'close', id: nextId++, clean: true })
      t.notOk(closed.error)
      await port.stop()
      await port.stop()
      const writer = new LogWriter({ fs: realFs, clock: systemClock, dataDir })
      const reopen = [{ ...logs[0]!, create: false }]
      const { opened } = writer.turn([{ kind: 'open', id: 1, logs: reopen }]).outcomes[0]!
      const stored = storedBatches(realFs, join(dataDir, 'a-0'), opened![0]!)
      t.ok(
        stored.every(
          ({ bytes }, i) => Buffer.compare(bytes.subarray(16), batches[i]!.subarray(16)) === 0,
        ),
      )
    },
  )
}

t.test('a writer that dies is heard of', async (t) => {
  const dataDir = mkdtempSync(join(tmpdir(), 'millrace-inbox-'))
  rmSync(dataDir, { recursive: true })
  const death = new Promise<Error>((resolve) => {
    const events = { onResult: () => {}, onDrain: () => {}, onDeath: resolve }
    const port = startWriterThread({ dataDir, inboxBytesMax: 4096 }, events)
    port.inbox.put({ kind: 'close', id: 1, clean: true })
  })
  t.match((await death).message, /ENOENT/)
})
