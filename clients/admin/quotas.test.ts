// Quotas from outside: set, described and removed on a broker.

import t from '../../protocol/testing/tap.ts'
import { Broker } from '../../broker/broker.ts'
import { describeClientQuotas } from '../../protocol/api/48_describe_client_quotas.ts'
import { alterClientQuotas } from '../../protocol/api/49_alter_client_quotas.ts'
import { errorCode, KafkaError } from '../../protocol/errors.ts'
import { Client, PartialError, type QuotaEntity } from '../index.ts'
import { FakeBroker } from '../testing/fake-broker.ts'

const broker = await Broker.start({ ephemeral: true })
const client = new Client({ brokers: broker.bootstrap })
const { quotas } = client.admin()
t.teardown(async () => {
  await client.close()
  await broker.close()
})

const ann: QuotaEntity = { user: 'ann' }
const both: QuotaEntity = { user: 'ann', clientId: null }

t.test('quotas are set, described by filters, and removed', async (t) => {
  t.strictSame(await quotas.describe(), [])
  await quotas.alter([
    { entity: ann, quotas: { producerByteRate: 1000, requestPercentage: 12.5 } },
    { entity: both, quotas: { consumerByteRate: 2000, controllerMutationRate: 0.5 } },
    { entity: { ip: '10.0.0.7' }, quotas: { connectionCreationRate: 3 } },
  ])
  const ofAnn = { entity: ann, quotas: { producerByteRate: 1000, requestPercentage: 12.5 } }
  const ofBoth = { entity: both, quotas: { consumerByteRate: 2000, controllerMutationRate: 0.5 } }
  const ofIp = { entity: { ip: '10.0.0.7' }, quotas: { connectionCreationRate: 3 } }
  t.strictSame(await quotas.describe(), [ofAnn, ofBoth, ofIp])
  t.strictSame(await quotas.describe({ user: 'ann' }), [ofAnn, ofBoth])
  t.strictSame(await quotas.describe({ user: 'ann', strict: true }), [ofAnn])
  t.strictSame(await quotas.describe({ user: true, clientId: null }), [ofBoth])
  t.strictSame(await quotas.describe({ ip: true }), [ofIp])
  await quotas.alter([{ entity: both, quotas: { consumerByteRate: null } }], { validateOnly: true })
  t.strictSame(await quotas.describe({ clientId: null }), [ofBoth])
  await quotas.alter([
    { entity: ann, quotas: { producerByteRate: null } },
    { entity: both, quotas: { consumerByteRate: null, controllerMutationRate: null } },
  ])
  t.strictSame(await quotas.describe({ user: 'ann' }), [
    { entity: ann, quotas: { requestPercentage: 12.5 } },
  ])
  await quotas.alter([])
})

t.test('each entity has its own outcome', async (t) => {
  const call = quotas.alter([
    { entity: { ip: '10.0.0.0/8' }, quotas: { connectionCreationRate: 1 } },
    { entity: { user: 'bob' }, quotas: { producerByteRate: 1 } },
    { entity: {}, quotas: { producerByteRate: 1 } },
  ])
  const error = await call.then(
    () => undefined,
    (each: unknown) => each as PartialError<void>,
  )
  t.ok(error instanceof PartialError)
  const codes = error!.results.map((each) => (each instanceof KafkaError ? each.code : undefined))
  t.strictSame(codes, ['INVALID_REQUEST', undefined, 'INVALID_REQUEST'])
  t.match(error!.message, /ip 10\.0\.0\.0\/8: .*no address/)
  t.match(await quotas.describe({ user: 'bob' }), [{ quotas: { producerByteRate: 1 } }])
})

t.test('options are checked by name', async (t) => {
  const wrong = (change: object) => quotas.alter([change as never])
  await t.rejects(wrong({ entity: { users: 'a' }, quotas: {} }), {
    name: 'TypeError',
    message: /users/,
  })
  await t.rejects(wrong({ entity: ann, quotas: { producerRate: 1 } }), { message: /producerRate/ })
  await t.rejects(wrong({ entity: ann, quotas: { producerByteRate: 0 } }), { message: /above 0/ })
  await t.rejects(quotas.describe({ user: 5 as never }), { name: 'TypeError' })
})

t.test('what a newer broker knows is left out, and a refusal is thrown', async (t) => {
  await using fake = await FakeBroker.start()
  await using own = new Client({ brokers: fake.bootstrap })
  const entity = [
    { entityType: 'planet', entityName: 'mars' },
    { entityType: 'user', entityName: 'ann' },
  ]
  const values = [
    { key: 'new_rate', value: 1 },
    { key: 'producer_byte_rate', value: 2 },
  ]
  fake.next(describeClientQuotas, () => ({ errorCode: 0, entries: [{ entity, values }] }))
  const admin = own.admin()
  t.strictSame(await admin.quotas.describe(), [{ entity: ann, quotas: { producerByteRate: 2 } }])
  const denied = errorCode('CLUSTER_AUTHORIZATION_FAILED')
  fake.next(describeClientQuotas, () => ({ errorCode: denied, entries: null }))
  await t.rejects(admin.quotas.describe(), { code: 'CLUSTER_AUTHORIZATION_FAILED' })
  fake.next(alterClientQuotas, () => ({ entries: [] }))
  const change = { entity: ann, quotas: { producerByteRate: 2 } }
  await t.rejects(admin.quotas.alter([change]), { message: /did not answer/ })
})
