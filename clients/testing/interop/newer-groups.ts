// Groups of the newer protocol (KIP-848) on Apache Kafka, as `admin.groups` shows and changes them.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import type { Test } from 'tap'
import type { Client } from '../../index.ts'

/** @param classpath of Kafka's tools: only Java's client speaks that protocol */
export async function newerGroups(
  t: Test,
  client: Client,
  bootstrap: string,
  classpath: string,
): Promise<void> {
  await t.test('it knows groups of the newer protocol', async (t) => {
    const { groups } = client.admin()
    await client.admin().createTopics([{ topic: 'newer', partitions: 2 }])
    await using producer = client.producer()
    await producer.send('newer', [{ value: 'a' }, { value: 'b' }])
    const reader = 'org.apache.kafka.tools.consumer.ConsoleConsumer'
    const args = ['--bootstrap-server', bootstrap, '--topic', 'newer', '--group', 'next']
    const how = ['--from-beginning', '--command-property', 'group.protocol=consumer']
    const member = spawn('java', ['-cp', classpath, reader, ...args, ...how])
    t.teardown(() => member.kill('SIGKILL'))
    for await (const line of createInterface(member.stdout)) if (line === 'a') break

    t.match(
      (await groups.list({ types: ['consumer'] })).map(({ group, type }) => [group, type]),
      [['next', 'consumer']],
    )
    await t.rejects(groups.describe(['next']), { code: 'UNSUPPORTED_VERSION', message: /consumer/ })
    await t.rejects(groups.reset('next', 'latest', { of: ['newer'] }), { code: 'NON_EMPTY_GROUP' })
    await t.rejects(groups.delete(['next']), { code: 'NON_EMPTY_GROUP' })

    member.kill('SIGTERM') // the member commits and leaves
    await once(member, 'exit')
    t.equal((await groups.lag('next')).total, 0)
    await groups.reset('next', 'earliest')
    t.equal((await groups.lag('next')).total, 2)
    await groups.delete(['next'])
    t.strictSame(await groups.list({ types: ['consumer'] }), [])
  })
}
