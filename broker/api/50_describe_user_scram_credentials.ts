// DescribeUserScramCredentials: there are no users (KIP-554).
// Versions: 0
// Behaviour: the answer to a request for all users is empty, to one that names users RESOURCE_NOT_FOUND.
// Not done: AlterUserScramCredentials (51), which would create users.

import {
  describeUserScramCredentials,
  type DescribeUserScramCredentialsRequest,
  type DescribeUserScramCredentialsResponse,
} from '../../protocol/api/50_describe_user_scram_credentials.ts'
import { errorCode, type ErrorName } from '../../protocol/errors.ts'
import type { Handler } from '../handler.ts'
import type { Work } from '../work.ts'

type Users = NonNullable<DescribeUserScramCredentialsRequest['users']>
type UserAnswer = DescribeUserScramCredentialsResponse['results'][number]

export function describeUserScramCredentialsHandler(): Handler<
  typeof describeUserScramCredentials
> {
  return {
    api: describeUserScramCredentials,
    async handle({ users }, context) {
      context.requireOnCluster('Describe')
      return { errorCode: 0, results: await resultsOf(users ?? [], context.work) }
    },
    refuse: ({ users }, code) => ({
      errorCode: code,
      results: (users ?? []).map(() => ({ user: '', errorCode: code, credentialInfos: [] })),
    }),
  }
}

function* namesOf(users: Users): Iterable<string> {
  for (const { name } of users) yield name
}

/** Each user once. */
async function resultsOf(users: Users, work: Work): Promise<UserAnswer[]> {
  const twice = await work.duplicatesIn(namesOf(users))
  return work.each(await work.distinct(namesOf(users)), (name) =>
    twice.has(name)
      ? refused(name, 'DUPLICATE_RESOURCE', 'the user is named twice')
      : refused(name, 'RESOURCE_NOT_FOUND', 'there is no such user'),
  )
}

function refused(user: string, code: ErrorName, errorMessage: string): UserAnswer {
  return { user, errorCode: errorCode(code), errorMessage, credentialInfos: [] }
}
