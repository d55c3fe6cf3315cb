// Apache Kafka's tools for operators against our broker: kafka-configs, kafka-topics, kafka-log-dirs, kafka-features,
// kafka-leader-election, kafka-reassign-partitions, kafka-metadata-quorum, kafka-cluster.

import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { Broker } from '../../../broker/broker.ts'
import { KAFKA_FETCH_TIMEOUT_MS, kafkaClasspath, run, requireKafka } from './tools.ts'

requireKafka()

const CONFIGS = 'kafka.admin.ConfigCommand'
const TOPICS = 'org.apache.kafka.tools.TopicCommand'
const ACLS = 'org.apache.kafka.tools.AclCommand'
const TOKENS = 'org.apache.kafka.tools.DelegationTokenCommand'
const LOG_DIRS = 'org.apache.kafka.tools.LogDirsCommand'
const ELECTION = 'org.apache.kafka.tools.LeaderElectionCommand'
const QUORUM = 'org.apache.kafka.tools.MetadataQuorumCommand'
const FEATURES = 'org.apache.kafka.tools.FeatureCommand'
const CLUSTER = 'org.apache.kafka.tools.ClusterTool'
const REASSIGN = 'org.apache.kafka.tools.reassign.ReassignPartitionsCommand'

t.test("Kafka's tools for operators", async (t) => {
  t.setTimeout(KAFKA_FETCH_TIMEOUT_MS + 150_000)
  const classpath = await kafkaClasspath()
  await using broker = await Broker.start({ ephemeral: true })
  const tool = async (main: string, words: string) => {
    const options = ['-XX:TieredStopAtLevel=1', '-cp', classpath, main]
    const where = ['--bootstrap-server', broker.bootstrap]
    const { stdout, stderr } = await run('java', [...options, ...where, ...words.split(' ')])
    return stdout.toString() + stderr
  }

  await t.test('kafka-configs changes topics and brokers, and shows what is set', async (t) => {
    await tool(TOPICS, '--create --topic t --partitions 2 --config retention.ms=5000')
    const topic = '--entity-type topics --entity-name t'
    const change = '--add-config segment.ms=77,cleanup.policy=[compact,delete]'
    await tool(CONFIGS, `--alter ${topic} ${change} --delete-config retention.ms`)
    const ofTopic = await tool(CONFIGS, `--describe ${topic}`)
    t.match(
      ofTopic,
      /segment.ms=77 .*DYNAMIC_TOPIC_CONFIG:segment.ms=77, DEFAULT_CONFIG:log.roll.hours=168/,
    )
    t.match(ofTopic, /cleanup.policy=compact,delete /)
    t.notMatch(ofTopic, /retention.ms/)
    const all = '--entity-type brokers --entity-default'
    const one = '--entity-type brokers --entity-name 1'
    await tool(CONFIGS, `--alter ${all} --add-config log.retention.ms=1234`)
    await tool(CONFIGS, `--alter ${one} --add-config num.partitions=4`)
    const ofBrokers = await tool(CONFIGS, '--describe --entity-type brokers')
    t.match(ofBrokers, /num.partitions=4 .*DYNAMIC_BROKER_CONFIG:num.partitions=4/)
    t.match(
      ofBrokers,
      /Default configs .*\n +log.retention.ms=1234 .*DYNAMIC_DEFAULT_BROKER_CONFIG/,
    )
    await t.rejects(
      tool(CONFIGS, `--alter ${one} --add-config num.partitons=4`),
      /did you mean num.partitions\?/,
    )
    const { length } = (await tool(CONFIGS, `--describe ${one} --all`)).match(/synonyms=/g)!
    t.ok(length > 50, 'all of them are shown')
  })

  await t.test('a throttle of Apache Kafka is taken, and an empty policy', async (t) => {
    const one = '--entity-type brokers --entity-name 1'
    const rate = 'leader.replication.throttled.rate'
    await tool(CONFIGS, `--alter ${one} --add-config ${rate}=1000`)
    t.match(await tool(CONFIGS, `--describe ${one}`), new RegExp(`${rate}=1000 `))
    const topic = '--entity-type topics --entity-name t'
    await tool(CONFIGS, `--alter ${topic} --add-config cleanup.policy=[]`)
    const ofTopic = await tool(CONFIGS, `--describe ${topic}`)
    t.match(ofTopic, /cleanup.policy= .*DYNAMIC_TOPIC_CONFIG:cleanup.policy=,/)
  })

  await t.test('without an authorizer, tokens or users the tools are told so', async (t) => {
    await t.rejects(tool(ACLS, '--list'), /SecurityDisabledException: No Authorizer is configured/)
    const properties = join(t.testdir(), 'client.properties')
    writeFileSync(properties, '')
    await t.rejects(
      tool(TOKENS, `--command-config ${properties} --describe`),
      /UnsupportedByAuthenticationException/,
    )
    for (const who of ['users', 'users --entity-name alice'])
      t.equal((await tool(CONFIGS, `--describe --entity-type ${who}`)).trim(), '', who)
  })

  await t.test('kafka-topics describes page by page; log directories are told', async (t) => {
    t.match(await tool(TOPICS, '--describe --topic t'), /PartitionCount: 2.*retention.ms=1234/)
    const dirs = await tool(LOG_DIRS, '--describe')
    const told = JSON.parse(dirs.split('\n').find((line) => line.startsWith('{'))!)
    t.match(told.brokers[0].logDirs, [{ error: null, logDir: broker.dataDir }])
    t.same(
      told.brokers[0].logDirs[0].partitions
        .map((each: { partition: string }) => each.partition)
        .sort(),
      ['t-0', 't-1'],
    )
  })

  await t.test(
    'leaders are elected and partitions reassigned, as far as one node goes',
    async (t) => {
      await tool(ELECTION, '--election-type preferred --all-topic-partitions')
      const named = await tool(ELECTION, '--election-type preferred --topic t --partition 0')
      t.match(named, /Valid replica already elected for partitions? t-0/)
      const plan = join(t.testdir(), 'plan.json')
      const to = (node: number) => {
        const partitions = [{ topic: 't', partition: 0, replicas: [node] }]
        writeFileSync(plan, JSON.stringify({ version: 1, partitions }))
      }
      to(1)
      t.match(
        await tool(REASSIGN, `--reassignment-json-file ${plan} --execute`),
        /Successfully started partition reassignment for t-0/,
      )
      t.match(await tool(REASSIGN, '--list'), /No partition reassignments found/)
      to(2)
      await t.rejects(tool(REASSIGN, `--reassignment-json-file ${plan} --execute`), /2/)
    },
  )

  await t.test('a reassignment names the log directory, which is the one there is', async (t) => {
    const plan = join(t.testdir(), 'plan.json')
    const into = (logDir: string) => {
      const partitions = [{ topic: 't', partition: 0, replicas: [1], log_dirs: [logDir] }]
      writeFileSync(plan, JSON.stringify({ version: 1, partitions }))
    }
    into(broker.dataDir)
    const moved = await tool(REASSIGN, `--reassignment-json-file ${plan} --execute`)
    t.match(moved, /Successfully started moving log directory to .* for replica t-0 with broker 1/)
    t.match(
      await tool(REASSIGN, `--reassignment-json-file ${plan} --verify`),
      /Reassignment of replica t-0-1 completed successfully/,
    )
    into('/elsewhere')
    await t.rejects(
      tool(REASSIGN, `--reassignment-json-file ${plan} --execute --timeout 1000`),
      /LogDirNotFoundException/,
    )
  })

  await t.test('the quorum, the features and the brokers are those of one node', async (t) => {
    const status = await tool(QUORUM, 'describe --status')
    t.match(status, /LeaderId: +1\n/)
    t.match(status, `"endpoints": ["PLAINTEXT://${broker.bootstrap}"]`)
    t.match(await tool(QUORUM, 'describe --replication'), /1 .*Leader/)
    t.match(await tool(FEATURES, 'describe'), /transaction.version .*FinalizedVersionLevel: 2/)
    t.match(await tool(FEATURES, 'upgrade --feature transaction.version=2'), /was upgraded to 2/)
    await t.rejects(
      tool(FEATURES, 'downgrade --feature transaction.version=1'),
      /1 out of 1 operation/,
    )
    const cluster = async (words: string) => {
      const [verb, ...flags] = words.split(' ')
      const args = ['-cp', classpath, CLUSTER, verb!, '--bootstrap-server', broker.bootstrap]
      const { stdout, stderr } = await run('java', [...args, ...flags])
      return stdout.toString() + stderr
    }
    t.match(await cluster('list-endpoints'), /unfenced +broker/)
    await t.rejects(cluster('unregister --id 99'), /BrokerIdNotRegisteredException/)
    await t.rejects(cluster('unregister --id 1'), /broker 1 is running: stop it instead/)
  })
})
