// The fetcher by itself, without a broker: errors that its reader gets.

import t from '../../protocol/testing/tap.ts'
import { VirtualClock } from '../../broker/testing/virtual-clock.ts'
import { KafkaError } from '../../protocol/errors.ts'
import type { Cluster } from '../cluster/cluster.ts'
import { topicOf } from '../topic.ts'
import { Fetcher } from './fetcher.ts'
import { Reading } from './reading.ts'

function idleFetcher(): Fetcher {
  const cluster = { clock: new VirtualClock(), newLane: () => ({}) } as unknown as Cluster
  return new Fetcher(cluster, {
    prefetchBytes: 1,
    partitionBytesMax: 1,
    fetchBytesMin: 1,
    fetchWaitMs: 1,
    isolation: 'uncommitted',
    outOfRange: 'error',
    onChange: () => {},
    onStale: () => {},
    onMoved: () => {},
    isGone: () => false,
  })
}

t.test('a partition that fails twice before the reader asks hides no other error', async (t) => {
  const fetcher = idleFetcher()
  const [a, b] = [0, 1].map((partition) => new Reading(topicOf('t'), partition, 0)) as [
    Reading,
    Reading,
  ]
  fetcher.add(a)
  fetcher.add(b)
  fetcher.report(a, new KafkaError('CORRUPT_MESSAGE', 'the first of a'))
  fetcher.report(a, new KafkaError('TOPIC_AUTHORIZATION_FAILED', 'the second of a'))
  fetcher.report(b, new KafkaError('CORRUPT_MESSAGE', 'of b'))
  t.throws(() => fetcher.next(), { message: /the second of a/ })
  t.throws(() => fetcher.next(), { message: /of b/ })
  t.equal(fetcher.next(), undefined)
})
