// DeleteAcls: there is no authorizer, hence no ACL.
// Versions: 1-3
// Behaviour: SECURITY_DISABLED for each filter, as an Apache Kafka without an authorizer answers.

import { deleteAcls } from '../../protocol/api/31_delete_acls.ts'
import { errorCode } from '../../protocol/errors.ts'
import type { Handler } from '../handler.ts'
import { NO_AUTHORIZER } from '../security.ts'

export function deleteAclsHandler(): Handler<typeof deleteAcls> {
  const refused = (code: number, errorMessage: string | null) => {
    return { errorCode: code, errorMessage, matchingAcls: [] }
  }
  const disabled = refused(errorCode('SECURITY_DISABLED'), NO_AUTHORIZER)
  return {
    api: deleteAcls,
    async handle({ filters }, context) {
      context.requireOnCluster('Alter')
      return { filterResults: await context.work.each(filters, () => disabled) }
    },
    refuse: ({ filters }, code) => ({ filterResults: filters.map(() => refused(code, null)) }),
  }
}
