// DeleteAcls: deletes what filters find, and answers it. Durable and in effect when the answer goes out.
// Versions: 1-3
// Behaviour: every filter has its own outcome; an ACL that several find is in the outcome of each. SECURITY_DISABLED without an
// authorizer.

import { deleteAcls } from '../../protocol/api/31_delete_acls.ts'
import { errorCode } from '../../protocol/errors.ts'
import { aclText, isKnown, type Acl } from '../auth/acl.ts'
import type { Acls } from '../auth/acls.ts'
import type { Handler } from '../handler.ts'
import { NO_AUTHORIZER } from '../security.ts'

const UNKNOWN = 'the filter has an unknown type, operation or permission'

interface DeleteAclsDeps {
  /** Undefined without an authorizer. */
  readonly acls: Acls | undefined
}

export function deleteAclsHandler({ acls }: DeleteAclsDeps): Handler<typeof deleteAcls> {
  return {
    api: deleteAcls,
    async handle({ filters }, context) {
      context.requireOnCluster('Alter')
      const { work } = context
      if (acls === undefined) {
        const disabled = refused(errorCode('SECURITY_DISABLED'), NO_AUTHORIZER)
        return { filterResults: await work.each(filters, () => disabled) }
      }
      const found = new Set<Acl>()
      const filterResults = await work.each(filters, (filter) => {
        if (!isKnown(filter)) return refused(errorCode('INVALID_REQUEST'), UNKNOWN)
        const matching = [...acls.find(filter)]
        for (const acl of matching) found.add(acl)
        return {
          errorCode: 0,
          errorMessage: null,
          matchingAcls: matching.map((acl) => ({ errorCode: 0, ...acl })),
        }
      })
      await acls.delete(found)
      context.changed('ACLs deleted', Array.from(found, aclText))
      return { filterResults }
    },
    refuse: ({ filters }, code) => ({ filterResults: filters.map(() => refused(code, null)) }),
  }
}

function refused(code: number, errorMessage: string | null) {
  return { errorCode: code, errorMessage, matchingAcls: [] }
}
