// PLAIN (RFC 4616): the client sends its password, which is compared with the user's SCRAM credential. Users of a JAAS line have
// one, too, made at start. An unknown user costs the same work and gets the same answer. Network thread.

import { randomBytes } from 'node:crypto'
import { KafkaError } from '../../protocol/errors.ts'
import { readPlain, type PlainMessage } from '../../protocol/sasl/plain.ts'
import { ITERATIONS_MIN, scramKeys } from '../../protocol/sasl/scram.ts'
import type { Credentials, ScramCredential, ScramMechanism } from '../auth/credentials.ts'
import type { Decoys } from './decoys.ts'
import {
  NO_MESSAGE,
  Refusal,
  refuseOtherIdentity,
  type Conversation,
  type Mechanism,
} from './mechanism.ts'
import type { PasswordChecks } from './password-checks.ts'

const SALT_BYTES = 16
/** By which a password is checked: the first that the user has. */
const order: readonly ScramMechanism[] = ['SCRAM-SHA-256', 'SCRAM-SHA-512']
const [first] = order as [ScramMechanism]

/** Kafka's text. */
const WRONG = 'Invalid username or password'

interface PlainDeps {
  readonly credentials: Credentials
  readonly decoys: Decoys
  readonly checks: PasswordChecks
  /** Of the listener's JAAS line: they are asked first. */
  readonly users: Promise<Credentials>
}

export class Plain implements Mechanism {
  readonly name = 'PLAIN'
  readonly #deps: PlainDeps

  constructor(deps: PlainDeps) {
    this.#deps = deps
  }

  // oxlint-disable-next-line require-yield -- the one message is the whole conversation
  async *converse(message: Buffer, gone: AbortSignal): Conversation {
    const { authorizationId, username, password } = read(message)
    if (username === '') throw denied('there is no user name', 'username not specified')
    if (password === '') throw denied('there is no password', 'password not specified')
    const found = await this.#find(username)
    const mechanism = found?.mechanism ?? first
    const credential = found?.credential ?? this.#deps.decoys.find(mechanism, username)
    const isRight = await this.#deps.checks.isRight(mechanism, password, credential, gone)
    if (found === undefined) throw denied('there is no such user', WRONG)
    if (!isRight) throw denied('the password is wrong', WRONG, username)
    refuseOtherIdentity(authorizationId, username)
    return { user: username, lastMessage: NO_MESSAGE }
  }

  async #find(
    user: string,
  ): Promise<{ mechanism: ScramMechanism; credential: ScramCredential } | undefined> {
    for (const credentials of [await this.#deps.users, this.#deps.credentials]) {
      for (const mechanism of order) {
        const credential = credentials.find(mechanism, user)
        if (credential !== undefined) return { mechanism, credential }
      }
    }
    return undefined
  }
}

/** Kafka says what is wrong with a message of PLAIN. @throws {Refusal} */
function read(message: Buffer): PlainMessage {
  try {
    return readPlain(message)
  } catch (error) {
    if (!(error instanceof KafkaError)) throw error
    throw new Refusal(error.reason, { told: error.reason })
  }
}

function denied(reason: string, told: string, user?: string): Refusal {
  return new Refusal(reason, { told: `Authentication failed: ${told}`, user })
}

/** Makes credentials of passwords. @param passwords by user */
export async function credentialsOf(passwords: ReadonlyMap<string, string>): Promise<Credentials> {
  const made = new Map<string, ScramCredential>()
  for (const [user, password] of passwords) {
    const kept = { salt: randomBytes(SALT_BYTES), iterations: ITERATIONS_MIN }
    const { storedKey, serverKey } = await scramKeys(first, password, kept)
    made.set(user, { ...kept, storedKey, serverKey })
  }
  return { find: (mechanism, user) => (mechanism === first ? made.get(user) : undefined) }
}
