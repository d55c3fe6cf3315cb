// Bugs planted into a broker: the random workloads and the checker find each of them.

import t from 'tap'
import { KafkaError } from '../../../protocol/errors.ts'
import { findAnomalies } from '../checker/checker.ts'
import { plantedBugs } from './planted-bugs.ts'
import { Workload } from './workload.ts'

/** Runs until a bug must be found: the one noted beside it, then these, always the same. */
const RUNS_MAX = 100

t.setTimeout(110_000)

/** @returns undefined when what is left on the disk is no log */
async function findingsOf(seed: number, plant: (typeof plantedBugs)[number]['plant']) {
  try {
    return findAnomalies(await Workload.run(seed, { flaw: plant() }))
  } catch (error) {
    if (error instanceof KafkaError && error.code === 'CORRUPT_MESSAGE') return undefined
    throw error
  }
}

const seeds = Array.from({ length: RUNS_MAX }, (_, i) => i + 1)

for (const { name, anomalies, seed: noted = 1, plant } of plantedBugs) {
  t.test(`a broker that ${name} is caught`, async (t) => {
    for (const seed of [noted, ...seeds]) {
      const findings = await findingsOf(seed, plant)
      if (findings === undefined) {
        t.pass(`run ${seed}: nobody can read its logs`)
        return
      }
      if (!findings.some(({ anomaly }) => anomalies.includes(anomaly))) continue
      t.pass(`run ${seed}: ${[...new Set(findings.map(({ anomaly }) => anomaly))].join(', ')}`)
      return
    }
    t.fail(`not in ${RUNS_MAX} runs`)
  })
}
