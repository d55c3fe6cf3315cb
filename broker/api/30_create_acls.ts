// CreateAcls: there is no authorizer, hence no ACL.
// Versions: 1-3
// Behaviour: SECURITY_DISABLED for each, as an Apache Kafka without an authorizer answers.

import { createAcls } from '../../protocol/api/30_create_acls.ts'
import { errorCode } from '../../protocol/errors.ts'
import type { Handler } from '../handler.ts'
import { NO_AUTHORIZER } from '../security.ts'

export function createAclsHandler(): Handler<typeof createAcls> {
  const disabled = { errorCode: errorCode('SECURITY_DISABLED'), errorMessage: NO_AUTHORIZER }
  return {
    api: createAcls,
    async handle({ creations }, context) {
      context.requireOnCluster('Alter')
      return { results: await context.work.each(creations, () => disabled) }
    },
    refuse: ({ creations }, code) => ({
      results: creations.map(() => ({ errorCode: code, errorMessage: null })),
    }),
  }
}
