// The version that names the topics of a request, and the match of its answers to the request.

import t from '../../protocol/testing/tap.ts'
import { UUID_ZERO } from '../../protocol/ids.ts'
import { partitionText, type TopicPartition } from '../topic.ts'
import { AskedPartitions } from './asked-partitions.ts'

const ids = new Map([
  ['orders', 'AAAAAAAAAAAAAAAAAAAAAQ'],
  ['users', 'AAAAAAAAAAAAAAAAAAAAAg'],
])
const cluster = {
  topic(name: string) {
    const id = ids.get(name)
    return id === undefined ? undefined : { id }
  },
}
const at = (topic: string, partition: number): TopicPartition => ({ topic, partition })
const asked = (...places: TopicPartition[]) =>
  new AskedPartitions(cluster, places, (place) => place)

t.test('topics that all have ids are named by id', async (t) => {
  const both = asked(at('users', 3), at('orders', 0), at('users', 1))
  t.equal(both.versionMax, Infinity)
  t.strictSame(
    both.topics.map(({ name, topicId, partitions }) => [name, topicId, ...partitions.keys()]),
    [
      ['users', ids.get('users'), 3, 1],
      ['orders', ids.get('orders'), 0],
    ],
    'in the order of the request',
  )
  t.same(both.find(13, '', ids.get('users')!, 1), at('users', 1))
  t.same(both.find(12, 'users', UUID_ZERO, 3), at('users', 3), 'an older broker has names only')
})

t.test('one topic without an id has all named by name', async (t) => {
  const mixed = asked(at('orders', 0), at('new', 0))
  t.equal(mixed.versionMax, 12)
  t.strictSame(
    mixed.topics.map(({ topicId }) => topicId),
    [ids.get('orders'), UUID_ZERO],
  )
  t.same(mixed.find(12, 'new', UUID_ZERO, 0), at('new', 0))
})

t.test('an answer to a partition that nobody asked for is to nothing', async (t) => {
  const one = asked(at('orders', 0))
  const answers = [
    one.find(13, '', ids.get('orders')!, 1),
    one.find(13, '', ids.get('users')!, 0),
    one.find(13, 'orders', UUID_ZERO, 0),
    one.find(12, partitionText(at('orders', 0)), UUID_ZERO, 0),
  ]
  t.strictSame(answers, [undefined, undefined, undefined, undefined])
})
