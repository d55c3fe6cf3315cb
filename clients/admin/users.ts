// UserAdmin: users and their SCRAM passwords. A password is salted here: the broker gets what checks it. Source: KIP-554.

import { describeUserScramCredentials } from '../../protocol/api/50_describe_user_scram_credentials.ts'
import { alterUserScramCredentials } from '../../protocol/api/51_alter_user_scram_credentials.ts'
import { KafkaError } from '../../protocol/errors.ts'
import {
  DEFAULT_ITERATIONS,
  ITERATIONS_MIN,
  scramMechanismCodes,
  scramMechanisms,
  STORED_ITERATIONS_MAX,
  type ScramMechanism,
} from '../../protocol/sasl/scram-mechanisms.ts'
import type { RequestInput } from '../../protocol/schema.ts'
import { callOptions, type Call, type CallOptions } from '../call.ts'
import type { Cluster } from '../cluster/cluster.ts'
import { checked, listOf, oneOf, orElse, required, secret, shape, text, whole } from '../options.ts'
import { refusalOf, wholeOrPartial } from '../partial-error.ts'
import { check } from './check.ts'
import { controllerOutcomes } from './controller.ts'

export type UserMechanism = 'scram-sha-256' | 'scram-sha-512'

export interface UserDescription {
  readonly user: string
  readonly credentials: readonly UserCredential[]
}

/** The user can log in by this mechanism. Brokers never show salts or keys. */
export interface UserCredential {
  readonly mechanism: UserMechanism
  /** More of them make guessing a password slower, and logging in. */
  readonly iterations: number
}

export interface NewPassword {
  readonly user: string
  readonly password: string
  /** Default: the password counts for all mechanisms. */
  readonly mechanism?: UserMechanism | undefined
  /** 4,096 (the default) to 16,384. */
  readonly iterations?: number | undefined
}

export interface UserToDelete {
  readonly user: string
  /** Default: all of the user's mechanisms. */
  readonly mechanism?: UserMechanism | undefined
}

const mechanism = oneOf('scram-sha-256', 'scram-sha-512')
const userName = text()
const newPasswords = listOf(
  shape<NewPassword>({
    user: required(userName),
    password: required(secret(text())),
    mechanism,
    iterations: whole(ITERATIONS_MIN, STORED_ITERATIONS_MAX),
  }),
)
const usersToDelete = listOf(
  orElse(userName, shape<UserToDelete>({ user: required(userName), mechanism })),
)

type Changes = RequestInput<typeof alterUserScramCredentials>

/** `admin.users`. Calls with several items throw a `PartialError` if some fail; the others are then done. */
export class UserAdmin {
  readonly #cluster: Cluster

  /** @internal */
  constructor(cluster: Cluster) {
    this.#cluster = cluster
  }

  /** Every user with a SCRAM password, by name. @throws {KafkaError} UNSUPPORTED_VERSION from brokers before Kafka 2.7 */
  async list(options: CallOptions = {}): Promise<UserDescription[]> {
    const call = this.#cluster.call(checked('admin.users.list', callOptions, options))
    const users = wholeOrPartial(await this.#described(null, call))
    return users.sort((a, b) => (a.user < b.user ? -1 : 1))
  }

  /** @throws {PartialError} RESOURCE_NOT_FOUND for a user without a SCRAM password */
  async describe(users: readonly string[], options: CallOptions = {}): Promise<UserDescription[]> {
    checked('admin.users.describe', listOf(userName), users, 'users')
    const call = this.#cluster.call(checked('admin.users.describe', callOptions, options))
    return users.length === 0 ? [] : wholeOrPartial(await this.#described(users, call))
  }

  /** Sets passwords, of new users and of others. */
  async upsert(passwords: readonly NewPassword[], options: CallOptions = {}): Promise<void> {
    const taken = checked('admin.users.upsert', newPasswords, passwords, 'passwords')
    const call = this.#cluster.call(checked('admin.users.upsert', callOptions, options))
    await this.#alter(taken, call, async (mechanism) => {
      const upsertions = taken
        .filter((each) => isOf(mechanism, each))
        .map((each) => upsertionOf(each, mechanism))
      return { deletions: [], upsertions: await Promise.all(upsertions) }
    })
  }

  /** @throws {PartialError} RESOURCE_NOT_FOUND for a user without such a password */
  async delete(
    users: readonly (string | UserToDelete)[],
    options: CallOptions = {},
  ): Promise<void> {
    const taken = checked('admin.users.delete', usersToDelete, users, 'users')
    const call = this.#cluster.call(checked('admin.users.delete', callOptions, options))
    const named = taken.map((each): UserToDelete => {
      return typeof each === 'string' ? { user: each } : each
    })
    const whole = named.filter((each) => each.mechanism === undefined).map(({ user }) => user)
    const described = whole.length === 0 ? [] : await this.#described(whole, call)
    const known = new Map(whole.map((user, i) => [user, described[i]!]))
    const wanted = named.flatMap((each): readonly UserToDelete[] => {
      const all = each.mechanism === undefined ? known.get(each.user) : undefined
      if (all === undefined) return [each]
      if (all instanceof KafkaError) return []
      return all.credentials.map(({ mechanism }) => ({ user: each.user, mechanism }))
    })
    const unknown = [...known].filter(([, each]) => each instanceof KafkaError)
    const refusals = new Map(unknown) as Map<string, KafkaError>
    const deletionsOf = async (of: ScramMechanism) => {
      const names = wanted.filter((each) => isOf(of, each)).map(({ user }) => user)
      const deletions = names.map((name) => ({ name, mechanism: scramMechanismCodes[of] }))
      return { deletions, upsertions: [] }
    }
    await this.#alter(named, call, deletionsOf, refusals)
  }

  async #described(
    users: readonly string[] | null,
    call: Call,
  ): Promise<(UserDescription | KafkaError)[]> {
    const request = { users: users?.map((name) => ({ name })) ?? null }
    const answer = await this.#cluster.retrying(call, async () => {
      const api = describeUserScramCredentials
      const response = await this.#cluster.ask(api, request, 'any', call)
      check(response.errorCode, 'users')
      return response
    })
    const byName = new Map(answer.results.map((each) => [each.user, each]))
    return (users ?? [...byName.keys()]).map((user) => {
      const each = byName.get(user)
      return (
        refusalOf(user, each) ?? { user, credentials: each!.credentialInfos.flatMap(credentialOf) }
      )
    })
  }

  /**
   * A request can change only one credential of a user, so there is one for each mechanism.
   *
   * @param refusals of items already; given
   * @throws {PartialError} with one result for each item
   */
  async #alter(
    items: readonly { readonly user: string }[],
    call: Call,
    changesOf: (mechanism: ScramMechanism) => Promise<Changes>,
    refusals = new Map<string, KafkaError>(),
  ): Promise<void> {
    for (const mechanism of scramMechanisms) {
      const changes = await changesOf(mechanism)
      const names = new Set([...changes.deletions, ...changes.upsertions].map(({ name }) => name))
      if (names.size === 0) continue
      const api = alterUserScramCredentials
      const refused = await controllerOutcomes(this.#cluster, call, api, changes, ({ results }) => {
        const byName = new Map(results.map((each) => [each.user, each]))
        return Array.from(names, (user) => refusalOf(user, byName.get(user)))
      })
      for (const [i, user] of [...names].entries())
        if (refused[i] !== undefined && !refusals.has(user)) refusals.set(user, refused[i])
    }
    wholeOrPartial(items.map(({ user }) => refusals.get(user)))
  }
}

/** Without a mechanism it is of all. */
function isOf(
  of: ScramMechanism,
  { mechanism }: { readonly mechanism?: UserMechanism | undefined },
): boolean {
  return mechanism === undefined || mechanism === of.toLowerCase()
}

/** Takes milliseconds of a pool thread. */
async function upsertionOf(
  { user, password, iterations = DEFAULT_ITERATIONS }: NewPassword,
  mechanism: ScramMechanism,
): Promise<Changes['upsertions'][number]> {
  const { randomSalt } = await import('../../protocol/sasl/new-password.ts')
  const { saltedPassword } = await import('../../protocol/sasl/scram.ts')
  const salt = randomSalt()
  const salted = await saltedPassword(mechanism, password, { salt, iterations })
  const code = scramMechanismCodes[mechanism]
  return { name: user, mechanism: code, iterations, salt, saltedPassword: salted }
}

/** @returns nothing for a mechanism of a newer broker */
function credentialOf(info: { mechanism: number; iterations: number }): UserCredential[] {
  const { iterations } = info
  const known = scramMechanisms.find((each) => scramMechanismCodes[each] === info.mechanism)
  return known === undefined
    ? []
    : [{ mechanism: known.toLowerCase() as UserMechanism, iterations }]
}
