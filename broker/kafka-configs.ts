// Broker properties of Apache Kafka that nothing here acts on: accepted at start and, where Kafka takes them so, while the
// broker runs; a line of the log says that they have no effect. Names, types, limits and defaults are those of Apache Kafka
// 4.3, and of 3.9 where 4 has dropped them. docs/reference/configs.md is generated from these tables.

import { KafkaError } from '../protocol/errors.ts'
import {
  anyList,
  flag,
  listItems,
  row,
  whole,
  type ConfigSpec,
  type ConfigType,
} from '../storage/config.ts'

type Default = string | number | bigint | boolean

/** Null defaults of Kafka are left out. */
type KafkaConfig = readonly [type: ConfigType, fallback?: Default, min?: number, max?: number]

/** Kafka takes them while it runs, for one broker and for all. */
const atOnce: Readonly<Record<string, KafkaConfig>> = {
  'background.threads': ['int', 10, 1],
  'config.providers': ['list'],
  'follower.fetch.last.tiered.offset.enable': ['boolean', false],
  'follower.replication.throttled.rate': ['long', 9223372036854775807n, 0],
  'group.consumer.assignment.interval.ms': ['int', 1000, 0],
  'group.coordinator.cached.buffer.max.bytes': ['int', 1048588, 524288],
  'group.share.assignment.interval.ms': ['int', 1000, 0],
  'group.streams.assignment.interval.ms': ['int', 1000, 0],
  'leader.replication.throttled.rate': ['long', 9223372036854775807n, 0],
  'log.cleaner.io.buffer.load.factor': ['double', 0.9],
  'log.cleaner.io.buffer.size': ['int', 524288, 0],
  'log.cleaner.threads': ['int', 1, 0],
  'log.message.downconversion.enable': ['boolean', true],
  'log.message.timestamp.difference.max.ms': ['long', 9223372036854775807n, 0],
  'max.connection.creation.rate': ['int', 2147483647, 0],
  'max.connections.per.ip.overrides': ['string'],
  'metric.reporters': ['list', 'org.apache.kafka.common.metrics.JmxReporter'],
  'num.io.threads': ['int', 8, 1],
  'num.network.threads': ['int', 3, 1],
  'num.recovery.threads.per.data.dir': ['int', 2, 1],
  'num.replica.fetchers': ['int', 1, 1],
  'remote.fetch.max.wait.ms': ['int', 500, 1],
  'remote.list.offsets.request.timeout.ms': ['long', 30000, 1],
  'remote.log.index.file.cache.total.size.bytes': ['long', 1073741824, 1],
  'remote.log.manager.copier.thread.pool.size': ['int', 10, 1],
  'remote.log.manager.copy.max.bytes.per.second': ['long', 9223372036854775807n, 1],
  'remote.log.manager.expiration.thread.pool.size': ['int', 10, 1],
  'remote.log.manager.fetch.max.bytes.per.second': ['long', 9223372036854775807n, 1],
  'remote.log.manager.follower.thread.pool.size': ['int', 2, 1],
  'remote.log.reader.threads': ['int', 10, 1],
  'replica.alter.log.dirs.io.max.bytes.per.second': ['long', 9223372036854775807n, 0],
  'share.coordinator.cached.buffer.max.bytes': ['int', 1048588, 524288],
  'transaction.partition.verification.enable': ['boolean', true],
}

/** Kafka reads them when it starts, or takes them per listener only. */
const atStart: Readonly<Record<string, KafkaConfig>> = {
  'add.partitions.to.txn.retry.backoff.max.ms': ['int', 100, 0],
  'add.partitions.to.txn.retry.backoff.ms': ['int', 20, 1],
  'alter.config.policy.class.name': ['class'],
  'alter.log.dirs.replication.quota.window.num': ['int', 11, 1],
  'alter.log.dirs.replication.quota.window.size.seconds': ['int', 1, 1],
  'authorizer.class.name': ['string'],
  'auto.include.jmx.reporter': ['boolean', true],
  'auto.leader.rebalance.enable': ['boolean', true],
  'broker.heartbeat.interval.ms': ['int', 2000],
  'broker.id.generation.enable': ['boolean', true],
  'broker.rack': ['string'],
  'broker.session.timeout.ms': ['int', 9000],
  'client.quota.callback.class': ['class'],
  'connection.failed.authentication.delay.ms': ['int', 100, 0],
  'connections.max.reauth.ms': ['long', 0],
  'control.plane.listener.name': ['string'],
  'controlled.shutdown.enable': ['boolean', true],
  'controlled.shutdown.max.retries': ['int', 3],
  'controlled.shutdown.retry.backoff.ms': ['long', 5000],
  'controller.listener.names': ['list'],
  'controller.quorum.append.linger.ms': ['int', 25, 0],
  'controller.quorum.auto.join.enable': ['boolean', false],
  'controller.quorum.bootstrap.servers': ['list'],
  'controller.quorum.election.backoff.max.ms': ['int', 1000, 0],
  'controller.quorum.election.timeout.ms': ['int', 1000, 0],
  'controller.quorum.fetch.max.bytes': ['int', 1048576, 1],
  'controller.quorum.fetch.snapshot.max.bytes': ['int', 1048576, 1],
  'controller.quorum.fetch.timeout.ms': ['int', 2000, 0],
  'controller.quorum.request.timeout.ms': ['int', 2000, 0],
  'controller.quorum.retry.backoff.ms': ['int', 20, 0],
  'controller.quorum.voters': ['list'],
  'controller.quota.window.num': ['int', 11, 1],
  'controller.quota.window.size.seconds': ['int', 1, 1],
  'controller.socket.timeout.ms': ['int', 30000],
  'cordoned.log.dirs': ['list'],
  'create.topic.policy.class.name': ['class'],
  'delegation.token.expiry.check.interval.ms': ['long', 3600000, 1],
  'delegation.token.expiry.time.ms': ['long', 86400000, 1],
  'delegation.token.master.key': ['password'],
  'delegation.token.max.lifetime.ms': ['long', 604800000, 1],
  'delegation.token.secret.key': ['password'],
  'delete.records.purgatory.purge.interval.requests': ['int', 1],
  'early.start.listeners': ['list'],
  'eligible.leader.replicas.enable': ['boolean', false],
  'fetch.purgatory.purge.interval.requests': ['int', 1000],
  'group.consumer.assignors': ['list', 'uniform,range'],
  'group.consumer.heartbeat.interval.ms': ['int', 5000, 1],
  'group.consumer.max.assignment.interval.ms': ['int', 15000, 0],
  'group.consumer.max.heartbeat.interval.ms': ['int', 15000, 1],
  'group.consumer.max.session.timeout.ms': ['int', 60000, 1],
  'group.consumer.max.size': ['int', 2147483647, 1],
  'group.consumer.migration.policy': ['string', 'bidirectional'],
  'group.consumer.min.assignment.interval.ms': ['int', 0, 0],
  'group.consumer.min.heartbeat.interval.ms': ['int', 5000, 1],
  'group.consumer.min.session.timeout.ms': ['int', 45000, 1],
  'group.consumer.session.timeout.ms': ['int', 45000, 1],
  'group.coordinator.append.linger.ms': ['int', -1, -1],
  'group.coordinator.background.threads': ['int', 2, 1],
  'group.coordinator.rebalance.protocols': ['list', 'classic,consumer,streams'],
  'group.coordinator.threads': ['int', 4, 1],
  'group.share.assignors': ['list', 'simple'],
  'group.share.delivery.count.limit': ['int', 5, 2, 10],
  'group.share.heartbeat.interval.ms': ['int', 5000, 1],
  'group.share.max.assignment.interval.ms': ['int', 15000, 0],
  'group.share.max.delivery.count.limit': ['int', 10, 5, 25],
  'group.share.max.groups': ['short', 10, 1, 100],
  'group.share.max.heartbeat.interval.ms': ['int', 15000, 1],
  'group.share.max.partition.max.record.locks': ['int', 4000, 2000, 10000],
  'group.share.max.record.lock.duration.ms': ['int', 60000, 30000, 3600000],
  'group.share.max.session.timeout.ms': ['int', 60000, 1],
  'group.share.max.share.sessions': ['int', 2000, 1],
  'group.share.max.size': ['int', 200, 1, 1000],
  'group.share.min.assignment.interval.ms': ['int', 0, 0],
  'group.share.min.delivery.count.limit': ['int', 2, 2, 5],
  'group.share.min.heartbeat.interval.ms': ['int', 5000, 1],
  'group.share.min.partition.max.record.locks': ['int', 100, 100, 2000],
  'group.share.min.record.lock.duration.ms': ['int', 15000, 1000, 30000],
  'group.share.min.session.timeout.ms': ['int', 45000, 1],
  'group.share.partition.max.record.locks': ['int', 2000, 100, 10000],
  'group.share.record.lock.duration.ms': ['int', 30000, 1000, 3600000],
  'group.share.session.timeout.ms': ['int', 45000, 1],
  'group.streams.heartbeat.interval.ms': ['int', 5000, 1],
  'group.streams.initial.rebalance.delay.ms': ['int', 3000, 0],
  'group.streams.max.assignment.interval.ms': ['int', 15000, 0],
  'group.streams.max.heartbeat.interval.ms': ['int', 15000, 1],
  'group.streams.max.session.timeout.ms': ['int', 60000, 1],
  'group.streams.max.size': ['int', 2147483647, 1],
  'group.streams.max.standby.replicas': ['int', 2, 0],
  'group.streams.min.assignment.interval.ms': ['int', 0, 0],
  'group.streams.min.heartbeat.interval.ms': ['int', 5000, 1],
  'group.streams.min.session.timeout.ms': ['int', 45000, 1],
  'group.streams.num.standby.replicas': ['int', 0, 0],
  'group.streams.session.timeout.ms': ['int', 45000, 1],
  'initial.broker.registration.timeout.ms': ['int', 60000],
  'inter.broker.listener.name': ['string'],
  'inter.broker.protocol.version': ['string', '3.9-IV0'],
  'kafka.metrics.polling.interval.secs': ['int', 10, 1],
  'kafka.metrics.reporters': ['list'],
  'leader.imbalance.check.interval.seconds': ['long', 300, 1],
  'leader.imbalance.per.broker.percentage': ['int', 10],
  'listener.security.protocol.map': [
    'string',
    'SASL_SSL:SASL_SSL,PLAINTEXT:PLAINTEXT,SSL:SSL,SASL_PLAINTEXT:SASL_PLAINTEXT',
  ],
  listeners: ['list', 'PLAINTEXT://:9092'],
  'log.dir.failure.timeout.ms': ['long', 30000, 1],
  'log.flush.offset.checkpoint.interval.ms': ['int', 60000, 0],
  'log.flush.scheduler.interval.ms': ['long', 9223372036854775807n],
  'log.flush.start.offset.checkpoint.interval.ms': ['int', 60000, 0],
  'log.message.format.version': ['string', '3.0-IV1'],
  'max.request.partition.size.limit': ['int', 2000, 1],
  'metadata.log.dir': ['string'],
  'metadata.log.max.record.bytes.between.snapshots': ['long', 20971520, 1],
  'metadata.log.max.snapshot.interval.ms': ['long', 3600000, 0],
  'metadata.log.segment.bytes': ['int', 1073741824, 8388608],
  'metadata.log.segment.ms': ['long', 604800000],
  'metadata.max.idle.interval.ms': ['int', 500, 0],
  'metadata.max.retention.bytes': ['long', 104857600],
  'metadata.max.retention.ms': ['long', 604800000],
  'metrics.num.samples': ['int', 2, 1],
  'metrics.recording.level': ['string', 'INFO'],
  'metrics.sample.window.ms': ['long', 30000, 1],
  'num.replica.alter.log.dirs.threads': ['int'],
  'offsets.commit.required.acks': ['short', -1],
  'offsets.commit.timeout.ms': ['int', 5000, 1],
  'offsets.load.buffer.size': ['int', 5242880, 1],
  'offsets.topic.compression.codec': ['int', 0],
  'offsets.topic.num.partitions': ['int', 50, 1],
  'offsets.topic.replication.factor': ['short', 3, 1],
  'offsets.topic.segment.bytes': ['int', 104857600, 1],
  'password.encoder.cipher.algorithm': ['string', 'AES/CBC/PKCS5Padding'],
  'password.encoder.iterations': ['int', 4096, 1024],
  'password.encoder.key.length': ['int', 128, 8],
  'password.encoder.keyfactory.algorithm': ['string'],
  'password.encoder.old.secret': ['password'],
  'password.encoder.secret': ['password'],
  'principal.builder.class': [
    'class',
    'org.apache.kafka.common.security.authenticator.DefaultKafkaPrincipalBuilder',
  ],
  'process.roles': ['list'],
  'producer.purgatory.purge.interval.requests': ['int', 1000],
  'queued.max.requests': ['int', 500, 1],
  'quota.window.num': ['int', 11, 1],
  'quota.window.size.seconds': ['int', 1, 1],
  'remote.log.manager.copy.quota.window.num': ['int', 11, 1],
  'remote.log.manager.copy.quota.window.size.seconds': ['int', 1, 1],
  'remote.log.manager.fetch.quota.window.num': ['int', 11, 1],
  'remote.log.manager.fetch.quota.window.size.seconds': ['int', 1, 1],
  'remote.log.manager.task.interval.ms': ['long', 30000, 1],
  'remote.log.manager.thread.pool.size': ['int', 2, 1],
  'remote.log.metadata.custom.metadata.max.bytes': ['int', 128, 0],
  'remote.log.metadata.manager.class.name': [
    'string',
    'org.apache.kafka.server.log.remote.metadata.storage.TopicBasedRemoteLogMetadataManager',
  ],
  'remote.log.metadata.manager.class.path': ['string'],
  'remote.log.metadata.manager.impl.prefix': ['string', 'rlmm.config.'],
  'remote.log.metadata.manager.listener.name': ['string'],
  'remote.log.reader.max.pending.tasks': ['int', 100, 1],
  'remote.log.storage.manager.class.name': ['string'],
  'remote.log.storage.manager.class.path': ['string'],
  'remote.log.storage.manager.impl.prefix': ['string', 'rsm.config.'],
  'remote.log.storage.system.enable': ['boolean', false],
  'replica.fetch.backoff.ms': ['int', 1000, 0],
  'replica.fetch.max.bytes': ['int', 1048576, 0],
  'replica.fetch.min.bytes': ['int', 1],
  'replica.fetch.response.max.bytes': ['int', 10485760, 0],
  'replica.fetch.wait.max.ms': ['int', 500],
  'replica.high.watermark.checkpoint.interval.ms': ['long', 5000],
  'replica.lag.time.max.ms': ['long', 30000],
  'replica.selector.class': ['string'],
  'replica.socket.receive.buffer.bytes': ['int', 65536],
  'replica.socket.timeout.ms': ['int', 30000],
  'replication.quota.window.num': ['int', 11, 1],
  'replication.quota.window.size.seconds': ['int', 1, 1],
  'request.timeout.ms': ['int', 30000],
  'reserved.broker.max.id': ['int', 1000, 0],
  'sasl.client.callback.handler.class': ['class'],
  'sasl.enabled.mechanisms': ['list', 'GSSAPI'],
  'sasl.jaas.config': ['password'],
  'sasl.kerberos.kinit.cmd': ['string', '/usr/bin/kinit'],
  'sasl.kerberos.min.time.before.relogin': ['long', 60000],
  'sasl.kerberos.principal.to.local.rules': ['list', 'DEFAULT'],
  'sasl.kerberos.service.name': ['string'],
  'sasl.kerberos.ticket.renew.jitter': ['double', 0.05],
  'sasl.kerberos.ticket.renew.window.factor': ['double', 0.8],
  'sasl.login.callback.handler.class': ['class'],
  'sasl.login.class': ['class'],
  'sasl.login.connect.timeout.ms': ['int'],
  'sasl.login.read.timeout.ms': ['int'],
  'sasl.login.refresh.buffer.seconds': ['short', 300],
  'sasl.login.refresh.min.period.seconds': ['short', 60],
  'sasl.login.refresh.window.factor': ['double', 0.8],
  'sasl.login.refresh.window.jitter': ['double', 0.05],
  'sasl.login.retry.backoff.max.ms': ['long', 10000],
  'sasl.login.retry.backoff.ms': ['long', 100],
  'sasl.mechanism.controller.protocol': ['string', 'GSSAPI'],
  'sasl.mechanism.inter.broker.protocol': ['string', 'GSSAPI'],
  'sasl.oauthbearer.assertion.algorithm': ['string', 'RS256'],
  'sasl.oauthbearer.assertion.claim.aud': ['string'],
  'sasl.oauthbearer.assertion.claim.exp.seconds': ['int', 300, 0, 86400],
  'sasl.oauthbearer.assertion.claim.iss': ['string'],
  'sasl.oauthbearer.assertion.claim.jti.include': ['boolean', false],
  'sasl.oauthbearer.assertion.claim.nbf.seconds': ['int', 60, 0, 3600],
  'sasl.oauthbearer.assertion.claim.sub': ['string'],
  'sasl.oauthbearer.assertion.file': ['string'],
  'sasl.oauthbearer.assertion.private.key.file': ['string'],
  'sasl.oauthbearer.assertion.private.key.passphrase': ['password'],
  'sasl.oauthbearer.assertion.template.file': ['string'],
  'sasl.oauthbearer.client.credentials.client.id': ['string'],
  'sasl.oauthbearer.client.credentials.client.secret': ['password'],
  'sasl.oauthbearer.clock.skew.seconds': ['int', 30],
  'sasl.oauthbearer.expected.audience': ['list'],
  'sasl.oauthbearer.expected.issuer': ['string'],
  'sasl.oauthbearer.jwks.endpoint.refresh.ms': ['long', 3600000],
  'sasl.oauthbearer.jwks.endpoint.retry.backoff.max.ms': ['long', 10000],
  'sasl.oauthbearer.jwks.endpoint.retry.backoff.ms': ['long', 100],
  'sasl.oauthbearer.jwks.endpoint.url': ['string'],
  'sasl.oauthbearer.jwt.retriever.class': [
    'class',
    'org.apache.kafka.common.security.oauthbearer.DefaultJwtRetriever',
  ],
  'sasl.oauthbearer.jwt.validator.class': [
    'class',
    'org.apache.kafka.common.security.oauthbearer.DefaultJwtValidator',
  ],
  'sasl.oauthbearer.scope': ['string'],
  'sasl.oauthbearer.scope.claim.name': ['string', 'scope'],
  'sasl.oauthbearer.sub.claim.name': ['string', 'sub'],
  'sasl.oauthbearer.token.endpoint.url': ['string'],
  'sasl.server.callback.handler.class': ['class'],
  'sasl.server.max.receive.size': ['int', 524288],
  'security.inter.broker.protocol': ['string', 'PLAINTEXT'],
  'security.providers': ['string'],
  'share.coordinator.append.linger.ms': ['int', -1, -1],
  'share.coordinator.load.buffer.size': ['int', 5242880, 1],
  'share.coordinator.snapshot.update.records.per.snapshot': ['int', 500, 0, 500],
  'share.coordinator.state.topic.compression.codec': ['int', 0],
  'share.coordinator.state.topic.min.isr': ['short', 2, 1],
  'share.coordinator.state.topic.num.partitions': ['int', 50, 1],
  'share.coordinator.state.topic.replication.factor': ['short', 3, 1],
  'share.coordinator.state.topic.segment.bytes': ['int', 104857600, 1],
  'share.coordinator.threads': ['int', 1, 1],
  'share.coordinator.write.timeout.ms': ['int', 5000, 1],
  'share.fetch.purgatory.purge.interval.requests': ['int', 1000],
  'socket.connection.setup.timeout.max.ms': ['long', 30000],
  'socket.connection.setup.timeout.ms': ['long', 10000],
  'socket.listen.backlog.size': ['int', 50, 1],
  'socket.receive.buffer.bytes': ['int', 102400],
  'socket.send.buffer.bytes': ['int', 102400],
  'ssl.allow.dn.changes': ['boolean', false],
  'ssl.allow.san.changes': ['boolean', false],
  'ssl.cipher.suites': ['list'],
  'ssl.client.auth': ['string', 'none'],
  'ssl.enabled.protocols': ['list', 'TLSv1.2,TLSv1.3'],
  'ssl.endpoint.identification.algorithm': ['string', 'https'],
  'ssl.engine.factory.class': ['class'],
  'ssl.key.password': ['password'],
  'ssl.keymanager.algorithm': ['string', 'SunX509'],
  'ssl.keystore.certificate.chain': ['password'],
  'ssl.keystore.key': ['password'],
  'ssl.keystore.location': ['string'],
  'ssl.keystore.password': ['password'],
  'ssl.keystore.type': ['string', 'JKS'],
  'ssl.principal.mapping.rules': ['string', 'DEFAULT'],
  'ssl.protocol': ['string', 'TLSv1.3'],
  'ssl.provider': ['string'],
  'ssl.secure.random.implementation': ['string'],
  'ssl.trustmanager.algorithm': ['string', 'PKIX'],
  'ssl.truststore.certificates': ['password'],
  'ssl.truststore.location': ['string'],
  'ssl.truststore.password': ['password'],
  'ssl.truststore.type': ['string', 'JKS'],
  'telemetry.max.bytes': ['int', 1048576, 1],
  'transaction.state.log.load.buffer.size': ['int', 5242880, 1],
  'transaction.state.log.min.isr': ['int', 2, 1],
  'transaction.state.log.num.partitions': ['int', 50, 1],
  'transaction.state.log.replication.factor': ['short', 3, 1],
  'transaction.state.log.segment.bytes': ['int', 104857600, 1],
  'transaction.two.phase.commit.enable': ['boolean', false],
  'zookeeper.clientCnxnSocket': ['string'],
  'zookeeper.connect': ['string'],
  'zookeeper.connection.timeout.ms': ['int'],
  'zookeeper.max.in.flight.requests': ['int', 10, 1],
  'zookeeper.metadata.migration.enable': ['boolean', false],
  'zookeeper.session.timeout.ms': ['int', 18000],
  'zookeeper.set.acl': ['boolean', false],
  'zookeeper.ssl.cipher.suites': ['list'],
  'zookeeper.ssl.client.enable': ['boolean', false],
  'zookeeper.ssl.crl.enable': ['boolean', false],
  'zookeeper.ssl.enabled.protocols': ['list'],
  'zookeeper.ssl.endpoint.identification.algorithm': ['string', 'HTTPS'],
  'zookeeper.ssl.keystore.location': ['string'],
  'zookeeper.ssl.keystore.password': ['password'],
  'zookeeper.ssl.keystore.type': ['string'],
  'zookeeper.ssl.ocsp.enable': ['boolean', false],
  'zookeeper.ssl.protocol': ['string', 'TLSv1.2'],
  'zookeeper.ssl.truststore.location': ['string'],
  'zookeeper.ssl.truststore.password': ['password'],
  'zookeeper.ssl.truststore.type': ['string'],
}

const NO_EFFECT = 'A property of Apache Kafka that nothing in this broker acts on.'
const SHORT_MAX = 32_767
const INT_MIN = -(2 ** 31)
const LONG_MIN = -(2n ** 63n)

/** In order of name. */
export const kafkaConfigs: Readonly<Record<string, ConfigSpec>> = Object.fromEntries(
  [...specsOf(atOnce, false), ...specsOf(atStart, true)].sort(([a], [b]) => (a < b ? -1 : 1)),
)

function specsOf(
  configs: Readonly<Record<string, KafkaConfig>>,
  isReadOnly: boolean,
): [name: string, spec: ConfigSpec][] {
  return Object.entries(configs).map(([name, config]) => [name, { ...specOf(config), isReadOnly }])
}

function specOf([type, fallback = '', min, max]: KafkaConfig): ConfigSpec {
  const prose = { says: NO_EFFECT, inert: true } as const
  const text = String(fallback)
  switch (type) {
    case 'boolean':
      return flag(fallback === true, prose)
    case 'int':
      return whole(type, text, min ?? INT_MIN, prose, max === undefined ? undefined : BigInt(max))
    case 'long':
      return whole(type, text, min ?? LONG_MIN, prose)
    case 'short':
      return { ...whole('int', text, min ?? -SHORT_MAX, prose, BigInt(SHORT_MAX)), type }
    case 'double':
      return row(type, text, 'a number', prose, (given) => numberOf(given))
    case 'list':
      return anyList(prose, text)
    default:
      return row(type, text, 'any text', prose, (given) => given.trim())
  }
}

function numberOf(text: string): number | undefined {
  const value = text.trim() === '' ? Number.NaN : Number(text)
  return Number.isNaN(value) ? undefined : value
}

/** What protects a listener, in Kafka. */
const PROTECTING = ['SSL', 'SASL_PLAINTEXT', 'SASL_SSL']

/**
 * A broker that takes these properties without a word would look protected, and is not.
 *
 * @param textOf what is set, by name
 * @throws {KafkaError} INVALID_CONFIG when they ask for an authorizer, or for a listener that is not plaintext
 */
export function refuseSecurity(textOf: (name: string) => string | undefined): void {
  const advice = 'millrace has no security yet: take the property away, and listen on loopback only'
  const authorizer = textOf('authorizer.class.name')?.trim()
  if (authorizer !== undefined && authorizer !== '')
    throw new KafkaError('INVALID_CONFIG', `authorizer.class.name=${authorizer}: ${advice}`)
  const protocolOf = new Map(
    listItems(upper(textOf('listener.security.protocol.map'))).map((each) => {
      const [name = '', protocol = ''] = each.split(':')
      return [name, protocol] as const
    }),
  )
  for (const listener of listItems(upper(textOf('listeners')))) {
    const name = listener.split('://')[0]!
    const protocol = protocolOf.get(name) ?? name
    if (PROTECTING.includes(protocol))
      throw new KafkaError('INVALID_CONFIG', `listeners=${listener} (${protocol}): ${advice}`)
  }
}

/** Kafka's names of listeners and protocols are the same in either case. */
function upper(text = ''): string {
  return text.toUpperCase()
}
