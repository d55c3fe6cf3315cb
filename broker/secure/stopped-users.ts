// Passwords of users in the data directory of a stopped broker: the first user, before anybody can log in, or one whose
// password is lost. For users: docs/guide/security.md, "The first user"

import { KafkaError } from '../../protocol/errors.ts'
import { randomSalt } from '../../protocol/sasl/new-password.ts'
import { scramKeys, scramMechanisms, type ScramMechanism } from '../../protocol/sasl/scram.ts'
import { systemClock } from '../../storage/clock.ts'
import { openStore } from '../../storage/open-store.ts'
import type { ScramChange, Store } from '../../storage/store.ts'

export interface StoppedPassword {
  readonly user: string
  readonly password: string
  /** Default: those that the user has; all of a new one. */
  readonly mechanism?: ScramMechanism | undefined
  readonly iterations: number
}

/**
 * Durable when it resolves. Makes the directory if it is not there.
 *
 * @param isNew whether the user must be unknown until now, or known
 * @returns the mechanisms that the password counts for
 * @throws {KafkaError} DUPLICATE_RESOURCE, RESOURCE_NOT_FOUND
 * @throws {Error} when a broker uses the directory, or it is none of ours
 */
export async function setPasswordIn(
  dataDir: string,
  password: StoppedPassword,
  isNew: boolean,
): Promise<readonly ScramMechanism[]> {
  await using store = await openStore({ dataDir, writer: 'inline', clock: systemClock })
  return await setPassword(store, password, isNew)
}

/** The same in an open store. */
export async function setPassword(
  store: Store,
  { user, password, mechanism, iterations }: StoppedPassword,
  isNew: boolean,
): Promise<readonly ScramMechanism[]> {
  const own = mechanismsOf(store, user)
  const isKnown = own.length > 0
  if (isKnown && isNew) throw new KafkaError('DUPLICATE_RESOURCE', `${user} exists`)
  if (!isKnown && !isNew) throw new KafkaError('RESOURCE_NOT_FOUND', `there is no user ${user}`)
  const wanted = mechanism !== undefined ? [mechanism] : isKnown ? own : scramMechanisms
  await store.scramCredentials.change(() =>
    Promise.all(
      wanted.map(async (mechanism): Promise<ScramChange> => {
        const salt = randomSalt()
        const keys = await scramKeys(mechanism, password, { salt, iterations })
        const { storedKey, serverKey } = keys
        return { mechanism, user, credential: { salt, storedKey, serverKey, iterations } }
      }),
    ),
  )
  return wanted
}

/** By which the user can log in. */
export function mechanismsOf({ scramCredentials }: Store, user: string): ScramMechanism[] {
  return scramMechanisms.filter((each) => scramCredentials.find(each, user) !== undefined)
}
