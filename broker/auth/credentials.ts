// Credentials: how the broker looks up what it keeps of a user's password. The store has them; a test has its own. Types.

import type { ScramCredential, ScramMechanism } from '../../protocol/sasl/scram.ts'

export type { ScramCredential, ScramMechanism }

export interface Credentials {
  find(mechanism: ScramMechanism, user: string): ScramCredential | undefined
}
