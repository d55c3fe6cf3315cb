// DescribeAcls: there is no authorizer, hence no ACL.
// Versions: 1-3
// Behaviour: SECURITY_DISABLED, as an Apache Kafka without an authorizer answers.

import { describeAcls } from '../../protocol/api/29_describe_acls.ts'
import { errorCode } from '../../protocol/errors.ts'
import type { Handler } from '../handler.ts'
import { NO_AUTHORIZER } from '../security.ts'

export function describeAclsHandler(): Handler<typeof describeAcls> {
  const refused = (code: number, errorMessage: string | null) => {
    return { errorCode: code, errorMessage, resources: [] }
  }
  return {
    api: describeAcls,
    handle(_request, context) {
      context.requireOnCluster('Describe')
      return refused(errorCode('SECURITY_DISABLED'), NO_AUTHORIZER)
    },
    refuse: (_request, code) => refused(code, null),
  }
}
