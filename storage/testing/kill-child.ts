// A process that appends as fast as it can and says on stdout what was acknowledged, until it is killed. Tests only.

import { openStore } from '../open-store.ts'
import { batchOf } from './store-kit.ts'

const IN_FLIGHT = 32
const SEGMENT_BYTES = 64 * 1024

/** The value of a record, which the parent can make too. */
export function killValue(run: number, sequence: number): string {
  return `${run}:${sequence}:${'x'.repeat((run * 31 + sequence * 17) % 200)}`
}

/** Lines: 'R' recovered; 'A partition offset sequence' acknowledged; 'P id' a producer id; 'T name' a topic was created. */
async function run(dataDir: string, runNumber: number): Promise<void> {
  const say = (line: string) => process.stdout.write(`${line}\n`)
  const store = await openStore({ dataDir, writer: 'thread' })
  if (!store.topics.get('kill')) {
    const config = { 'segment.bytes': String(SEGMENT_BYTES) }
    await store.topics.create({ name: 'kill', partitionCount: 2, config })
  }
  say('R')
  let sequence = 0
  const appendForEver = async (partition: number) => {
    const log = store.log('kill', partition)!
    for (;;) {
      const own = Array.from({ length: 1 + (sequence % 5) }, () => sequence++)
      const batch = batchOf(own.map((each) => ({ value: killValue(runNumber, each) })))
      const { error, baseOffset } = await store.append(log, batch, -1)
      if (error) throw new Error(error)
      say(own.map((each, i) => `A ${partition} ${baseOffset + i} ${each}`).join('\n'))
    }
  }
  const appends = Array.from({ length: IN_FLIGHT }, (_, i) => appendForEver(i % 2))
  say(`P ${await store.nextProducerId()}`)
  const { name } = await store.topics.create({ name: `run-${runNumber}`, partitionCount: 1 })
  say(`T ${name}`)
  await Promise.all(appends)
}

const [dataDir, runNumber] = process.argv.slice(2)
if (dataDir !== undefined && runNumber !== undefined) await run(dataDir, Number(runNumber))
