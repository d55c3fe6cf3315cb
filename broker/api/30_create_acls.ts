// CreateAcls: there is no authorizer, hence no ACL.
// Versions: 1-3
// Behaviour: SECURITY_DISABLED for each, as an Apache Kafka without an authorizer answers.

import { createAcls, type CreateAclsRequest } from '../../protocol/api/30_create_acls.ts'
import { errorCode } from '../../protocol/errors.ts'
import type { Handler } from '../net/handler.ts'
import { NO_AUTHORIZER } from '../security.ts'

export function createAclsHandler(): Handler<typeof createAcls> {
  const refused = (
    { creations }: CreateAclsRequest,
    code: number,
    errorMessage: string | null,
  ) => ({ results: creations.map(() => ({ errorCode: code, errorMessage })) })
  return {
    api: createAcls,
    handle: (request) => refused(request, errorCode('SECURITY_DISABLED'), NO_AUTHORIZER),
    refuse: (request, code) => refused(request, code, null),
  }
}
