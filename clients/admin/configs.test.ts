// Configurations from outside: described and changed, also on a broker that can only replace them.

import t from '../../protocol/testing/tap.ts'
import { Broker } from '../../broker/broker.ts'
import { describeConfigs } from '../../protocol/api/32_describe_configs.ts'
import { alterConfigs } from '../../protocol/api/33_alter_configs.ts'
import { incrementalAlterConfigs } from '../../protocol/api/44_incremental_alter_configs.ts'
import { Client, PartialError, type ConfigResource } from '../index.ts'
import { FakeBroker } from '../testing/fake-broker.ts'

const broker = await Broker.start({ ephemeral: true, config: { 'log.retention.ms': 1000 } })
const client = new Client({ brokers: broker.bootstrap })
const admin = client.admin()
t.teardown(async () => {
  await client.close()
  await broker.close()
})
await admin.createTopics(['one', 'two'])

const ofOne = { topic: 'one' }

/** Value and source of one configuration. */
async function shown(resource: ConfigResource, name: string) {
  const [described] = await admin.configs.describe([resource])
  const entry = described!.entries.find((each) => each.name === name)
  return entry === undefined ? undefined : [entry.value, entry.source]
}

t.test('configs are set, unset, and lists added to and taken from, in one change', async (t) => {
  await admin.configs.alter([
    {
      resource: ofOne,
      set: { 'retention.ms': 5, preallocate: true },
      append: { 'cleanup.policy': 'compact' },
    },
  ])
  t.same(await shown(ofOne, 'retention.ms'), ['5', 'topic'])
  t.same(await shown(ofOne, 'preallocate'), ['true', 'topic'])
  t.same(await shown(ofOne, 'cleanup.policy'), ['delete,compact', 'topic'])
  await admin.configs.alter([
    { resource: ofOne, unset: ['retention.ms'], subtract: { 'cleanup.policy': 'delete' } },
  ])
  t.same(await shown(ofOne, 'retention.ms'), ['1000', 'staticBroker'])
  t.same(await shown(ofOne, 'cleanup.policy'), ['compact', 'topic'])
})

t.test('brokers are changed one by one or all together; synonyms tell both', async (t) => {
  const { controller } = await admin.cluster()
  await admin.configs.alter([
    { resource: { broker: 'all' }, set: { 'num.partitions': 2 } },
    { resource: { broker: controller }, set: { 'num.partitions': 3 } },
  ])
  t.same(await shown({ broker: 'all' }, 'num.partitions'), ['2', 'dynamicDefaultBroker'])
  t.same(await shown({ broker: controller }, 'num.partitions'), ['3', 'dynamicBroker'])
  const [described] = await admin.configs.describe([{ broker: controller }])
  const entry = described!.entries.find(({ name }) => name === 'num.partitions')
  t.same(entry!.synonyms, [
    { name: 'num.partitions', value: '3', source: 'dynamicBroker' },
    { name: 'num.partitions', value: '2', source: 'dynamicDefaultBroker' },
    { name: 'num.partitions', value: '1', source: 'default' },
  ])
  const [created] = await admin.createTopics(['three'])
  t.equal(created!.partitionCount, 3)
})

t.test('what is refused is told for each resource; the others are changed', async (t) => {
  const change = (topic: string, name: string) => ({ resource: { topic }, set: { [name]: 7 } })
  const error = await admin.configs
    .alter([change('one', 'retention.ms'), change('two', 'retention.mss')])
    .catch((refusal: unknown) => refusal)
  t.ok(error instanceof PartialError)
  t.match(error, {
    code: 'INVALID_CONFIG',
    results: [undefined, { message: /two: .*did you mean retention.ms/ }],
  })
  t.same(await shown(ofOne, 'retention.ms'), ['7', 'topic'])
  await admin.configs.alter([change('two', 'retention.ms')], { validateOnly: true })
  t.same(await shown({ topic: 'two' }, 'retention.ms'), ['1000', 'staticBroker'])
  await t.rejects(admin.configs.alter([change('nowhere', 'retention.ms')]), {
    code: 'UNKNOWN_TOPIC_OR_PARTITION',
  })
})

t.test('a broker that can only replace all configs gets back those that stay', async (t) => {
  await using old = await FakeBroker.start()
  old.versionsMax.set(incrementalAlterConfigs.name, -1)
  const entry = (name: string, value: string | null, configSource: number) => {
    return { name, value, readOnly: false, configSource, isSensitive: value === null }
  }
  const described = (...configs: ReturnType<typeof entry>[]) => {
    const result = { errorCode: 0, resourceType: 2, resourceName: 't', configs }
    old.next(describeConfigs, () => ({ results: [result] }))
  }
  const done = { errorCode: 0, resourceType: 2, resourceName: 't' }
  await using elder = new Client({ brokers: old.bootstrap })
  const { configs } = elder.admin()
  const policy = entry('cleanup.policy', 'delete', 5)
  described(entry('a', '1', 1), entry('b', '2', 1), entry('c', '3', 1), entry('d', '4', 4), policy)
  old.next(alterConfigs, () => ({ responses: [done] }))
  await configs.alter([
    {
      resource: { topic: 't' },
      set: { b: 20, e: 5 },
      unset: ['c'],
      append: { 'cleanup.policy': 'compact' },
    },
  ])
  t.same(old.seen(alterConfigs)[0]!.request.resources[0]!.configs, [
    { name: 'a', value: '1' },
    { name: 'b', value: '20' },
    { name: 'e', value: '5' },
    { name: 'cleanup.policy', value: 'delete,compact' },
  ])
  described(entry('secret', null, 1))
  await t.rejects(configs.alter([{ resource: { topic: 't' }, set: { a: 1 } }]), {
    code: 'UNSUPPORTED_VERSION',
    message: /does not tell secret/,
  })
  t.equal(old.seen(alterConfigs).length, 1)
})
