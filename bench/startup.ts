// The time of a broker from spawn to ready, and its memory when idle.

import { join } from 'node:path'
import { BrokerProcess } from './broker-process.ts'
import { median, type Bench } from './report.ts'

const RUNS = 7
const IDLE_SECONDS = 3
const MIB = 2 ** 20
const READY_MS_WANTED = 150
const RSS_MIB_WANTED = 80

export const startup: Bench = {
  name: 'startup',
  title: `spawn to ready, ${RUNS} times on new directories and on one used before`,

  async *run(dir) {
    const fresh = await readyTimes((run) => join(dir, `fresh-${run}`))
    yield { title: 'new directory', figures: readyFigures(fresh) }
    const again = await readyTimes(() => join(dir, 'fresh-0'))
    yield { title: 'used directory', figures: readyFigures(again) }
    await using broker = await BrokerProcess.start(join(dir, 'idle'))
    const before = broker.usage()
    await new Promise((resolve) => setTimeout(resolve, IDLE_SECONDS * 1000))
    const { rssBytes, cpuSeconds } = broker.usage()
    yield {
      title: `idle for ${IDLE_SECONDS} s`,
      figures: [
        { name: 'RSS', value: rssBytes / MIB, unit: 'MiB', atMost: RSS_MIB_WANTED },
        { name: '', value: cpuSeconds - before.cpuSeconds, unit: 'CPU-s' },
        { name: 'to start', value: before.cpuSeconds, unit: 'CPU-s' },
      ],
    }
  },
}

async function readyTimes(dirOf: (run: number) => string): Promise<number[]> {
  const times: number[] = []
  for (let run = 0; run < RUNS; run++) {
    await using broker = await BrokerProcess.start(dirOf(run))
    times.push(broker.readyMs)
  }
  return times
}

function readyFigures(times: readonly number[]) {
  return [
    { name: 'median', value: median(times), unit: 'ms', atMost: READY_MS_WANTED },
    { name: 'least', value: Math.min(...times), unit: 'ms' },
    { name: 'most', value: Math.max(...times), unit: 'ms' },
  ]
}
