// Requests for ACLs: an administrator gets Apache Kafka's answers, except for ACLs that cannot take effect. Without
// sockets.

import type { createAcls } from '../../protocol/api/30_create_acls.ts'
import type { ResponseOf } from '../../protocol/schema.ts'
import t from '../../protocol/testing/tap.ts'
import { STANDARD_AUTHORIZER } from '../auth/configs.ts'
import { answerTo } from '../testing/local-client.ts'
import { World } from '../testing/world.ts'
import { lineOf, questions, recordedAnswers, refusedHere } from './acls.ts'

t.test('requests for ACLs are answered as Apache Kafka answers them', async (t) => {
  const config = {
    'authorizer.class.name': STANDARD_AUTHORIZER,
    'super.users': 'User:ANONYMOUS',
  }
  const { local } = await World.open(t, { config })
  const recorded = recordedAnswers()
  for (const [i, question] of questions.entries())
    t.equal(lineOf(question, await answerTo(local, question)), recorded[i])
  t.equal(recorded.length, questions.length + refusedHere.length)
  for (const question of refusedHere) {
    const { results } = (await answerTo(local, question)) as ResponseOf<typeof createAcls>
    for (const { errorCode, errorMessage } of results) {
      t.equal(errorCode, 42, question.what)
      t.match(errorMessage, /^(host|principal|resource type|pattern type|operation|permission) /)
    }
  }
})
