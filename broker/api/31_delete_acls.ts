// DeleteAcls: there is no authorizer, hence no ACL.
// Versions: 1-3
// Behaviour: SECURITY_DISABLED for each filter, as an Apache Kafka without an authorizer answers.

import { deleteAcls, type DeleteAclsRequest } from '../../protocol/api/31_delete_acls.ts'
import { errorCode } from '../../protocol/errors.ts'
import type { Handler } from '../net/handler.ts'
import { NO_AUTHORIZER } from '../security.ts'

export function deleteAclsHandler(): Handler<typeof deleteAcls> {
  const refused = ({ filters }: DeleteAclsRequest, code: number, errorMessage: string | null) => ({
    filterResults: filters.map(() => ({ errorCode: code, errorMessage, matchingAcls: [] })),
  })
  return {
    api: deleteAcls,
    handle: (request) => refused(request, errorCode('SECURITY_DISABLED'), NO_AUTHORIZER),
    refuse: (request, code) => refused(request, code, null),
  }
}
