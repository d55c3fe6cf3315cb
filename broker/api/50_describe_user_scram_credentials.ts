// DescribeUserScramCredentials: there are no users.
// Versions: 0
// Behaviour: nothing for all of them, RESOURCE_NOT_FOUND for one that is named.
// Not done: AlterUserScramCredentials (51), without which no user comes to be.

import {
  describeUserScramCredentials,
  type DescribeUserScramCredentialsRequest,
  type DescribeUserScramCredentialsResponse,
} from '../../protocol/api/50_describe_user_scram_credentials.ts'
import { errorCode, type ErrorName } from '../../protocol/errors.ts'
import { duplicatesIn } from '../duplicates.ts'
import type { Handler } from '../net/handler.ts'

type Users = NonNullable<DescribeUserScramCredentialsRequest['users']>
type UserAnswer = DescribeUserScramCredentialsResponse['results'][number]

export function describeUserScramCredentialsHandler(): Handler<
  typeof describeUserScramCredentials
> {
  return {
    api: describeUserScramCredentials,
    handle: ({ users }) => ({ errorCode: 0, results: resultsOf(users ?? []) }),
    refuse: (_request, code) => ({ errorCode: code, results: [] }),
  }
}

/** Each user once. */
function resultsOf(users: Users): UserAnswer[] {
  const names = users.map(({ name }) => name)
  const twice = duplicatesIn(names)
  return [...new Set(names)].map((name) =>
    twice.has(name)
      ? refused(name, 'DUPLICATE_RESOURCE', 'the user is named twice')
      : refused(name, 'RESOURCE_NOT_FOUND', 'there is no such user'),
  )
}

function refused(user: string, code: ErrorName, errorMessage: string): UserAnswer {
  return { user, errorCode: errorCode(code), errorMessage, credentialInfos: [] }
}
