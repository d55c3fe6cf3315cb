// AlterUserScramCredentials: sets and deletes passwords of users, salted by the client (KIP-554).
// Versions: 0
// Behaviour: a user has one outcome, and at most one change in a request, as in Apache Kafka: a second one makes it
// DUPLICATE_RESOURCE. Durable when the answer goes out. Connections that have logged in stay.
// Not as Kafka: numbers and lengths have limits, and an empty salted password is refused instead of failing the server.

import {
  alterUserScramCredentials,
  type AlterUserScramCredentialsRequest,
  type AlterUserScramCredentialsResponse,
} from '../../protocol/api/51_alter_user_scram_credentials.ts'
import { errorCode, errorCodeOf, KafkaError } from '../../protocol/errors.ts'
import {
  ITERATIONS_MIN,
  scramKeysOf,
  scramMechanismCodes,
  scramMechanisms,
  STORED_ITERATIONS_MAX,
  type ScramMechanism,
} from '../../protocol/sasl/scram.ts'
import type { ScramChange, ScramCredentials, Store } from '../../storage/store.ts'
import { doneAmong } from '../auth/audit.ts'
import type { Handler } from '../handler.ts'
import type { Work } from '../work.ts'

type Deletion = AlterUserScramCredentialsRequest['deletions'][number]
type Upsertion = AlterUserScramCredentialsRequest['upsertions'][number]
type UserAnswer = AlterUserScramCredentialsResponse['results'][number]

/** Of one request. */
const CHANGES_MAX = 10_000
const NAME_CHARS_MAX = 1_024
const SALT_BYTES_MAX = 1_024
/** The result of SHA-512 has 64. */
const SALTED_PASSWORD_BYTES_MAX = 1_024

export function alterUserScramCredentialsHandler({
  store: { scramCredentials },
}: {
  readonly store: Store
}): Handler<typeof alterUserScramCredentials> {
  return {
    api: alterUserScramCredentials,
    async handle(request, context) {
      context.requireOnCluster('Alter')
      const { work } = context
      const asked = owned(request)
      const outcomes = new Map<string, ScramChange | KafkaError>()
      await scramCredentials.change(async () => {
        await decide(asked, scramCredentials, outcomes, work)
        const isChange = (each: ScramChange | KafkaError) => !(each instanceof KafkaError)
        return [...outcomes.values()].filter(isChange) as ScramChange[]
      })
      const results = await work.each(outcomes, answerOf)
      context.changed(
        'users changed',
        doneAmong(results, ({ user }) => user),
      )
      return { results }
    },
    refuse: ({ deletions, upsertions }, code) => {
      const names = new Set([...deletions, ...upsertions].map(({ name }) => name))
      return { results: Array.from(names, (user) => ({ user, errorCode: code })) }
    },
  }
}

/** Its bytes are borrowed until the first `await`. @throws {KafkaError} POLICY_VIOLATION */
function owned({
  deletions,
  upsertions,
}: AlterUserScramCredentialsRequest): AlterUserScramCredentialsRequest {
  const changeCount = deletions.length + upsertions.length
  if (changeCount > CHANGES_MAX)
    throw new KafkaError('POLICY_VIOLATION', `${changeCount} changes at once; want ${CHANGES_MAX}`)
  const copied = upsertions.map(({ salt, saltedPassword, ...rest }) => {
    return { ...rest, salt: Buffer.from(salt), saltedPassword: Buffer.from(saltedPassword) }
  })
  return { deletions, upsertions: copied }
}

/** The first change of a user that is refused decides; then one too many. */
async function decide(
  { deletions, upsertions }: AlterUserScramCredentialsRequest,
  credentials: ScramCredentials,
  outcomes: Map<string, ScramChange | KafkaError>,
  work: Work,
): Promise<void> {
  const note = (user: string, change: () => ScramChange) => {
    const before = outcomes.get(user)
    if (before instanceof KafkaError) return
    outcomes.set(user, before === undefined ? orRefusal(change) : namedTwice())
  }
  await work.forEach(deletions, (each) => note(each.name, () => deletionOf(each, credentials)))
  await work.forEach(upsertions, (each) => note(each.name, () => upsertionOf(each)))
}

function orRefusal(change: () => ScramChange): ScramChange | KafkaError {
  try {
    return change()
  } catch (error) {
    if (error instanceof KafkaError) return error
    throw error
  }
}

function namedTwice(): KafkaError {
  const message = 'a request can change only one credential of a user'
  return new KafkaError('DUPLICATE_RESOURCE', message)
}

/** @throws {KafkaError} UNACCEPTABLE_CREDENTIAL, UNSUPPORTED_SASL_MECHANISM, RESOURCE_NOT_FOUND */
function deletionOf(deletion: Deletion, credentials: ScramCredentials): ScramChange {
  const mechanism = mechanismOf(deletion)
  if (credentials.find(mechanism, deletion.name) === undefined)
    throw new KafkaError('RESOURCE_NOT_FOUND', `the user has no credential of ${mechanism}`)
  return { mechanism, user: deletion.name, credential: undefined }
}

/** @throws {KafkaError} UNACCEPTABLE_CREDENTIAL, UNSUPPORTED_SASL_MECHANISM */
function upsertionOf(upsertion: Upsertion): ScramChange {
  const mechanism = mechanismOf(upsertion)
  const { name, iterations, salt, saltedPassword } = upsertion
  if (iterations < ITERATIONS_MIN || iterations > STORED_ITERATIONS_MAX)
    throw unacceptable(
      `${iterations} iterations; want ${ITERATIONS_MIN} to ${STORED_ITERATIONS_MAX}`,
    )
  if (salt.length > SALT_BYTES_MAX) throw unacceptable(`a salt of ${salt.length} bytes`)
  if (saltedPassword.length === 0) throw unacceptable('the salted password is empty')
  if (saltedPassword.length > SALTED_PASSWORD_BYTES_MAX)
    throw unacceptable(`a salted password of ${saltedPassword.length} bytes`)
  const { storedKey, serverKey } = scramKeysOf(mechanism, saltedPassword)
  const credential = { salt: Buffer.from(salt), storedKey, serverKey, iterations }
  return { mechanism, user: name, credential }
}

/** @throws {KafkaError} UNACCEPTABLE_CREDENTIAL for a bad user name, UNSUPPORTED_SASL_MECHANISM */
function mechanismOf({ name, mechanism: code }: Deletion): ScramMechanism {
  if (name === '') throw unacceptable('the user name is empty')
  if (name.length > NAME_CHARS_MAX) throw unacceptable(`a user name of ${name.length} characters`)
  const mechanism = scramMechanisms.find((each) => scramMechanismCodes[each] === code)
  if (mechanism === undefined)
    throw new KafkaError('UNSUPPORTED_SASL_MECHANISM', `SCRAM mechanism ${code} is unknown`)
  return mechanism
}

function unacceptable(what: string): KafkaError {
  return new KafkaError('UNACCEPTABLE_CREDENTIAL', what)
}

function answerOf([user, outcome]: [string, ScramChange | KafkaError]): UserAnswer {
  if (!(outcome instanceof KafkaError)) return { user, errorCode: errorCode(undefined) }
  return { user, errorCode: errorCodeOf(outcome), errorMessage: outcome.reason }
}
