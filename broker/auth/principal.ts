// Principals: who a client is, as Apache Kafka names it: `User:alice`.

export interface Principal {
  readonly type: string
  readonly name: string
}

/** The client that asks for permission. */
export interface Requester {
  readonly principal: Principal
  readonly remoteAddress: string
}

/** Every client of a listener that authenticates nobody. */
export const ANONYMOUS: Principal = { type: 'User', name: 'ANONYMOUS' }

export function principalText({ type, name }: Principal): string {
  return `${type}:${name}`
}
