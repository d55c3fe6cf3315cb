// DescribeUserScramCredentials: the mechanisms of users, and their iterations; never salts or keys (KIP-554).
// Versions: 0
// Behaviour: a user that is named and unknown is RESOURCE_NOT_FOUND, one that is named twice DUPLICATE_RESOURCE.

import {
  describeUserScramCredentials,
  type DescribeUserScramCredentialsRequest,
  type DescribeUserScramCredentialsResponse,
} from '../../protocol/api/50_describe_user_scram_credentials.ts'
import { errorCode, type ErrorName } from '../../protocol/errors.ts'
import { scramMechanismCodes, scramMechanisms } from '../../protocol/sasl/scram.ts'
import type { ScramCredentials, Store } from '../../storage/store.ts'
import type { Handler } from '../handler.ts'
import type { Work } from '../work.ts'

type Users = NonNullable<DescribeUserScramCredentialsRequest['users']>
type UserAnswer = DescribeUserScramCredentialsResponse['results'][number]

export function describeUserScramCredentialsHandler({
  store: { scramCredentials },
}: {
  readonly store: Store
}): Handler<typeof describeUserScramCredentials> {
  return {
    api: describeUserScramCredentials,
    async handle({ users }, context) {
      context.requireOnCluster('Describe')
      const { work } = context
      const results =
        users === null || users.length === 0
          ? await allResults(scramCredentials, work)
          : await resultsOf(users, scramCredentials, work)
      return { errorCode: 0, results }
    },
    refuse: ({ users }, code) => ({
      errorCode: code,
      results: (users ?? []).map(() => ({ user: '', errorCode: code, credentialInfos: [] })),
    }),
  }
}

async function allResults(credentials: ScramCredentials, work: Work): Promise<UserAnswer[]> {
  const users = new Set<string>()
  await work.forEach(credentials.list(), ({ user }) => users.add(user))
  return work.each(users, (user) => described(user, credentials))
}

/** Each user once. */
async function resultsOf(
  users: Users,
  credentials: ScramCredentials,
  work: Work,
): Promise<UserAnswer[]> {
  const twice = await work.duplicatesIn(namesOf(users))
  return work.each(await work.distinct(namesOf(users)), (name) =>
    twice.has(name)
      ? refused(name, 'DUPLICATE_RESOURCE', 'the user is named twice')
      : described(name, credentials),
  )
}

function* namesOf(users: Users): Iterable<string> {
  for (const { name } of users) yield name
}

function described(user: string, credentials: ScramCredentials): UserAnswer {
  const credentialInfos = scramMechanisms.flatMap((mechanism) => {
    const credential = credentials.find(mechanism, user)
    if (credential === undefined) return []
    return [{ mechanism: scramMechanismCodes[mechanism], iterations: credential.iterations }]
  })
  if (credentialInfos.length === 0)
    return refused(user, 'RESOURCE_NOT_FOUND', 'there is no such user')
  return { user, errorCode: 0, credentialInfos }
}

function refused(user: string, code: ErrorName, errorMessage: string): UserAnswer {
  return { user, errorCode: errorCode(code), errorMessage, credentialInfos: [] }
}
