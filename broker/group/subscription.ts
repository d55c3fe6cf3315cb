// The topics in the metadata of members of the `consumer` protocol; other protocols are opaque. Network thread.

import { decodeSubscription } from '../../protocol/consumer-protocol.ts'
import { KafkaError } from '../../protocol/errors.ts'

/** @returns undefined when the metadata does not tell */
export function subscribedTopics(
  protocolType: string,
  metadata: Uint8Array,
): readonly string[] | undefined {
  if (protocolType !== 'consumer') return undefined
  try {
    return decodeSubscription(metadata).topics
  } catch (error) {
    if (error instanceof KafkaError) return undefined
    throw error
  }
}
