// DescribeAcls: the ACLs that a filter finds, by the pattern of their resources.
// Versions: 1-3
// Behaviour: a filter with an unknown code finds nothing. SECURITY_DISABLED without an authorizer.

import { describeAcls } from '../../protocol/api/29_describe_acls.ts'
import { errorCode } from '../../protocol/errors.ts'
import type { ResponseInput } from '../../protocol/schema.ts'
import type { Acl } from '../auth/acl.ts'
import type { Acls } from '../auth/acls.ts'
import type { Handler } from '../handler.ts'
import { NO_AUTHORIZER } from '../security.ts'

type Resource = ResponseInput<typeof describeAcls>['resources'][number]

interface DescribeAclsDeps {
  /** Undefined without an authorizer. */
  readonly acls: Acls | undefined
}

export function describeAclsHandler({ acls }: DescribeAclsDeps): Handler<typeof describeAcls> {
  return {
    api: describeAcls,
    async handle(filter, context) {
      context.requireOnCluster('Describe')
      if (acls === undefined) return refused(errorCode('SECURITY_DISABLED'), NO_AUTHORIZER)
      const byPattern = new Map<string, Acl[]>()
      await context.work.forEach(acls.find(filter), (acl) => {
        const key = `${acl.resourceType}/${acl.patternType}/${acl.resourceName}`
        const others = byPattern.get(key)
        if (others === undefined) byPattern.set(key, [acl])
        else others.push(acl)
      })
      return { errorCode: 0, resources: await context.work.each(byPattern.values(), resourceOf) }
    },
    refuse: (_request, code) => refused(code, null),
  }
}

function refused(code: number, errorMessage: string | null) {
  return { errorCode: code, errorMessage, resources: [] }
}

/** @param acls of one pattern */
function resourceOf(acls: readonly Acl[]): Resource {
  const { resourceType, resourceName, patternType } = acls[0]!
  return { resourceType, resourceName, patternType, acls }
}
