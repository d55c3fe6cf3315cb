// Mechanism: one way for a client to prove who it is. A conversation is one such proof: the client speaks first. Types, and
// the error of a proof that fails.

export const mechanismNames = ['PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512', 'OAUTHBEARER'] as const
export type MechanismName = (typeof mechanismNames)[number]

/** What a proof has shown. */
export interface Identity {
  readonly user: string
  /** For the client, which may want a proof in return. */
  readonly lastMessage: Buffer
  /** Epoch ms: when the proof ends; undefined when it does not. */
  readonly expiresAtMs?: number
}

/** A message to the client before the end. */
export interface Challenge {
  readonly message: Buffer
  /** Why the proof has failed already, for the log: the client must answer before it is told. */
  readonly failure?: string
}

/** Receives the client's messages after the first. @throws {Refusal | KafkaError} */
export type Conversation = AsyncGenerator<Challenge, Identity, Buffer>

export interface Mechanism {
  readonly name: MechanismName
  /**
   * @param first the client's first message, copied
   * @param gone aborted when the client hangs up
   */
  converse(first: Buffer, gone: AbortSignal): Conversation
}

export const NO_MESSAGE = Buffer.alloc(0)

interface RefusalFacts {
  /** For the client, the same for every user. Without it the client hears the text for any bad message. */
  readonly told?: string
  /** The name of a user that exists; other names may be passwords in the wrong field. */
  readonly user?: string | undefined
}

/** A proof that fails. Its message is for the log, and has no secrets. */
export class Refusal extends Error {
  override readonly name = 'Refusal'
  readonly told: string | undefined
  readonly user: string | undefined

  constructor(reason: string, { told, user }: RefusalFacts = {}) {
    super(reason)
    this.told = told
    this.user = user
  }
}

/** @throws {Refusal} for a client that asks to act as somebody else */
export function refuseOtherIdentity(authorizationId: string, user: string): void {
  if (authorizationId === '' || authorizationId === user) return
  const what = 'Client requested an authorization id that is different from username'
  throw new Refusal('the client asks for another identity', {
    told: `Authentication failed: ${what}`,
  })
}
