// Bugs planted into a broker: the random workloads and the checker find each of them.

import t from 'tap'
import { findAnomalies } from '../checker/checker.ts'
import { plantedBugs } from './planted-bugs.ts'
import { Workload } from './workload.ts'

/** Runs until a bug must be found. The seeds are always the same. */
const RUNS_MAX = 25

t.setTimeout(110_000)

for (const { name, anomalies, plant } of plantedBugs) {
  t.test(`a broker that ${name} is caught`, async (t) => {
    for (let seed = 1; seed <= RUNS_MAX; seed++) {
      const findings = findAnomalies(await Workload.run(seed, plant()))
      if (!findings.some(({ anomaly }) => anomalies.includes(anomaly))) continue
      t.pass(`run ${seed}: ${[...new Set(findings.map(({ anomaly }) => anomaly))].join(', ')}`)
      return
    }
    t.fail(`not in ${RUNS_MAX} runs`)
  })
}
