// Names of client properties that millrace's command line knows and ignores: other clients need them, it does not.
// From Apache Kafka 4.3 (producer, consumer, admin) and librdkafka 2.x, without those that librdkafka.ts and java.ts
// use.

const names = (text: string): ReadonlySet<string> => new Set(text.trim().split(/\s+/))

export const javaNames = names(`
  acks allow.auto.create.topics auto.commit.interval.ms auto.offset.reset batch.size
  bootstrap.controllers buffer.memory check.crcs client.dns.lookup client.rack
  compression.gzip.level compression.lz4.level compression.type compression.zstd.level
  connections.max.idle.ms default.api.timeout.ms delivery.timeout.ms enable.auto.commit
  enable.idempotence enable.metrics.push exclude.internal.topics fetch.max.bytes fetch.max.wait.ms
  fetch.min.bytes group.id group.instance.id group.protocol group.remote.assignor
  heartbeat.interval.ms interceptor.classes internal.throw.on.fetch.stable.offset.unsupported
  isolation.level key.deserializer key.serializer linger.ms max.block.ms
  max.in.flight.requests.per.connection max.partition.fetch.bytes max.poll.interval.ms
  max.poll.records max.request.size metadata.max.age.ms metadata.max.idle.ms
  metadata.recovery.rebootstrap.trigger.ms metadata.recovery.strategy metric.reporters
  metrics.num.samples metrics.recording.level metrics.sample.window.ms
  partition.assignment.strategy partitioner.adaptive.partitioning.enable
  partitioner.availability.timeout.ms partitioner.class partitioner.ignore.keys
  receive.buffer.bytes reconnect.backoff.max.ms reconnect.backoff.ms request.timeout.ms retries
  retry.backoff.max.ms retry.backoff.ms sasl.kerberos.kinit.cmd
  sasl.kerberos.min.time.before.relogin sasl.kerberos.service.name
  sasl.kerberos.ticket.renew.jitter sasl.kerberos.ticket.renew.window.factor
  sasl.login.connect.timeout.ms sasl.login.read.timeout.ms sasl.login.refresh.buffer.seconds
  sasl.login.refresh.min.period.seconds sasl.login.refresh.window.factor
  sasl.login.refresh.window.jitter sasl.login.retry.backoff.max.ms sasl.login.retry.backoff.ms
  sasl.oauthbearer.assertion.algorithm sasl.oauthbearer.assertion.claim.aud
  sasl.oauthbearer.assertion.claim.exp.seconds sasl.oauthbearer.assertion.claim.iss
  sasl.oauthbearer.assertion.claim.jti.include sasl.oauthbearer.assertion.claim.nbf.seconds
  sasl.oauthbearer.assertion.claim.sub sasl.oauthbearer.assertion.private.key.file
  sasl.oauthbearer.assertion.private.key.passphrase sasl.oauthbearer.assertion.template.file
  sasl.oauthbearer.clock.skew.seconds sasl.oauthbearer.expected.audience
  sasl.oauthbearer.expected.issuer sasl.oauthbearer.header.urlencode
  sasl.oauthbearer.jwks.endpoint.refresh.ms sasl.oauthbearer.jwks.endpoint.retry.backoff.max.ms
  sasl.oauthbearer.jwks.endpoint.retry.backoff.ms sasl.oauthbearer.jwks.endpoint.url
  sasl.oauthbearer.jwt.validator.class sasl.oauthbearer.scope.claim.name
  sasl.oauthbearer.sub.claim.name send.buffer.bytes session.timeout.ms share.acknowledgement.mode
  share.acquire.mode socket.connection.setup.timeout.max.ms socket.connection.setup.timeout.ms
  ssl.cipher.suites ssl.enabled.protocols ssl.keymanager.algorithm ssl.protocol ssl.provider
  ssl.secure.random.implementation ssl.trustmanager.algorithm transaction.timeout.ms
  transaction.two.phase.commit.enable transactional.id value.deserializer value.serializer
`)

export const librdkafkaNames = names(`
  acks allow.auto.create.topics api.version.fallback.ms api.version.request
  api.version.request.timeout.ms auto.commit.enable auto.commit.interval.ms auto.offset.reset
  batch.num.messages batch.size broker.address.family broker.address.ttl broker.version.fallback
  builtin.features check.crcs client.dns.lookup client.rack client.software.name
  client.software.version compression.codec compression.level compression.type
  connections.max.idle.ms consume.callback.max.messages coordinator.query.interval.ms debug
  delivery.report.only.error delivery.timeout.ms enable.auto.commit enable.auto.offset.store
  enable.gapless.guarantee enable.idempotence enable.metrics.push enable.partition.eof
  enable.random.seed fetch.error.backoff.ms fetch.max.bytes fetch.message.max.bytes
  fetch.min.bytes fetch.queue.backoff.ms fetch.wait.max.ms group.id group.instance.id
  group.protocol group.protocol.type group.remote.assignor heartbeat.interval.ms https.ca.location
  https.ca.pem internal.termination.signal isolation.level linger.ms log.connection.close
  log.queue log.thread.name log_level max.in.flight max.in.flight.requests.per.connection
  max.partition.fetch.bytes max.poll.interval.ms max.poll.records message.copy.max.bytes
  message.max.bytes message.send.max.retries message.timeout.ms metadata.max.age.ms
  metadata.recovery.rebootstrap.trigger.ms metadata.recovery.strategy offset.store.method
  offset.store.path offset.store.sync.interval.ms partition.assignment.strategy partitioner
  produce.offset.report queue.buffering.backpressure.threshold queue.buffering.max.kbytes
  queue.buffering.max.messages queue.buffering.max.ms queued.max.messages.kbytes
  queued.min.messages queuing.strategy receive.message.max.bytes reconnect.backoff.jitter.ms
  reconnect.backoff.max.ms reconnect.backoff.ms request.required.acks request.timeout.ms retries
  retry.backoff.max.ms retry.backoff.ms sasl.kerberos.keytab sasl.kerberos.kinit.cmd
  sasl.kerberos.min.time.before.relogin sasl.kerberos.principal sasl.kerberos.service.name
  session.timeout.ms socket.blocking.max.ms socket.connection.setup.timeout.ms
  socket.keepalive.enable socket.max.fails socket.nagle.disable socket.receive.buffer.bytes
  socket.send.buffer.bytes socket.timeout.ms ssl.ca.certificate.stores ssl.cipher.suites
  ssl.curves.list ssl.sigalgs.list statistics.interval.ms sticky.partitioning.linger.ms
  topic.blacklist topic.metadata.propagation.max.ms topic.metadata.refresh.fast.cnt
  topic.metadata.refresh.fast.interval.ms topic.metadata.refresh.interval.ms
  topic.metadata.refresh.sparse transaction.timeout.ms transactional.id
`)
