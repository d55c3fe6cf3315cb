// Our StandardAuthorizer decides as Apache Kafka's, for random ACLs and questions.

import t from '../../protocol/testing/tap.ts'
import { decisionsIn, recordedDecisions, RECORDED_WORLDS, worldOf } from './authorizer.ts'

t.test('decisions by random ACLs are those of Apache Kafka', async (t) => {
  const recorded = recordedDecisions()
  t.equal(recorded.length, RECORDED_WORLDS)
  for (const [i, decisions] of recorded.entries()) {
    const seed = i + 1
    if (decisionsIn(worldOf(seed)) !== decisions)
      t.equal(decisionsIn(worldOf(seed)), decisions, `seed ${seed}`)
  }
  const all = recorded.join('')
  const allowed = all.replaceAll('0', '').length / all.length
  t.ok(allowed > 0.2 && allowed < 0.8, `${allowed} of the questions are allowed`)
})
