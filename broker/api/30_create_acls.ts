// CreateAcls: creates ACLs, which are durable and in effect when the answer goes out.
// Versions: 1-3
// Behaviour: every ACL has its own outcome, in the order of the request; one that is there already is no error.
// SECURITY_DISABLED without an authorizer.

import { createAcls } from '../../protocol/api/30_create_acls.ts'
import { errorCode, errorCodeOf, KafkaError } from '../../protocol/errors.ts'
import { aclText, checkAcl, type Acl } from '../auth/acl.ts'
import type { Acls } from '../auth/acls.ts'
import type { Handler } from '../handler.ts'
import { NO_AUTHORIZER } from '../security.ts'

interface CreateAclsDeps {
  /** Undefined without an authorizer. */
  readonly acls: Acls | undefined
}

export function createAclsHandler({ acls }: CreateAclsDeps): Handler<typeof createAcls> {
  const disabled = { errorCode: errorCode('SECURITY_DISABLED'), errorMessage: NO_AUTHORIZER }
  return {
    api: createAcls,
    async handle({ creations }, context) {
      context.requireOnCluster('Alter')
      const { work } = context
      if (acls === undefined) return { results: await work.each(creations, () => disabled) }
      const sound: Acl[] = []
      const results = await work.each(creations, ({ resourcePatternType, ...rest }) => {
        const acl = { ...rest, patternType: resourcePatternType }
        const refusal = refusalOf(acl)
        if (refusal !== undefined)
          return { errorCode: errorCodeOf(refusal), errorMessage: refusal.reason }
        sound.push(acl)
        return { errorCode: 0, errorMessage: null }
      })
      await acls.create(sound)
      context.changed('ACLs created', sound.map(aclText))
      return { results }
    },
    refuse: ({ creations }, code) => ({
      results: creations.map(() => ({ errorCode: code, errorMessage: null })),
    }),
  }
}

function refusalOf(acl: Acl): KafkaError | undefined {
  try {
    checkAcl(acl)
    return undefined
  } catch (error) {
    if (error instanceof KafkaError) return error
    throw error
  }
}
