// The tools that tests of TLS and SASL share: certificates, a call's outcome, a clock that a test moves.

import { systemClock, type Clock } from '../clock.ts'
import { Client, type ClientOptions, type KafkaError } from '../index.ts'
import { Authority } from './certificates.ts'

export const authority = new Authority('the test CA')

/** The certificate of a broker on this machine. */
export const local = authority.issue({ name: 'broker', hosts: ['localhost', '127.0.0.1'] })

export const { cert: ca } = authority

/** Real time, that a test may move on. */
export class MovedClock implements Clock {
  movedMs = 0
  now = (): number => systemClock.now() + this.movedMs
  monotonic = (): number => systemClock.monotonic() + this.movedMs
  after: Clock['after'] = (delayMs, callback) => systemClock.after(delayMs, callback)
  random = (): number => 0.5
}

/** @returns the error of a call of this client; undefined if it succeeds */
export async function outcome(
  brokers: string,
  options: Partial<ClientOptions> = {},
): Promise<KafkaError | undefined> {
  await using client = new Client({ brokers, bootstrapTimeoutMs: 0, ...options })
  try {
    await client.admin().listTopics()
    return undefined
  } catch (error) {
    return error as KafkaError
  }
}
