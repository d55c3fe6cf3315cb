// Random clients against a broker that crashes: the checker finds nothing.

import t from 'tap'
import { budget, thinnedSteps } from '../../../protocol/testing/budget.ts'
import { SEED } from '../../../protocol/testing/seed.ts'
import { explain, findAnomalies } from '../checker/checker.ts'
import { type Trouble, Workload } from './workload.ts'

const RUNS = budget(4, 100, 'RUNS')
const REPEATED_RUNS = budget(2, 4)
/** Enough for a machine that does much else. */
const TIMEOUT_MS = 100_000 + 500 * RUNS

t.setTimeout(TIMEOUT_MS)

t.test('the same seed gives the same run', async (t) => {
  t.comment(`SEED=${SEED}`)
  for (let seed = SEED; seed < SEED + REPEATED_RUNS; seed++) {
    const fillsUp = seed % 2 === 0
    const [one, other] = [
      await Workload.run(seed, { fillsUp }),
      await Workload.run(seed, { fillsUp }),
    ]
    t.strictSame(one.operations, other.operations)
  }
})

t.test('a crash at any step of a transaction leaves all of it or nothing', async (t) => {
  t.comment(`SEED=${SEED}`)
  for (const kind of ['TV1', 'TV2'] as const) {
    for (const isCommit of [true, false]) {
      const options = { transactionalId: 'x', kind }
      const { stepCount } = await Workload.runTransaction(SEED, options, isCommit)
      for (const step of thinnedSteps(stepCount, 10)) {
        for (const how of ['kill', SEED + step] as const) {
          const { history } = await Workload.runTransaction(SEED, options, isCommit, step, how)
          const findings = findAnomalies(history).map(explain)
          const what = `${kind} ${isCommit ? 'commit' : 'abort'}, step ${step}, ${how}`
          if (findings.length > 0) t.fail(what, { findings })
        }
      }
      t.pass(`${kind} ${isCommit ? 'commit' : 'abort'}: ${stepCount} steps`)
    }
  }
})

const troubles: Record<string, Trouble> = {
  crashes: {},
  'crashes, on a disk that is full now and then,': { fillsUp: true },
  'crashes, half of them of a failing disk,': { fails: true },
}
for (const [what, trouble] of Object.entries(troubles)) {
  t.test(`${RUNS} random workloads with ${what} keep every promise`, async (t) => {
    for (let seed = SEED; seed < SEED + RUNS; seed++) {
      const history = await Workload.run(seed, trouble)
      const findings = findAnomalies(history, { endsMayBeLate: trouble.fillsUp ?? false })
      if (findings.length === 0) continue
      t.fail(`SEED=${seed} RUNS=1`, { findings: findings.slice(0, 5).map(explain) })
      return
    }
    t.pass(`seeds ${SEED} to ${SEED + RUNS - 1}`)
  })
}
