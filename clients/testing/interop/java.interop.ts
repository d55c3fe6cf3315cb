// Apache Kafka's own client in transactions: 3.x speaks the protocol before KIP-890 part 2, 4.x the one since then.
// Skipped where Java cannot be run.

import { fileURLToPath } from 'node:url'
import t from 'tap'
import { Broker } from '../../../broker/broker.ts'
import {
  KAFKA_FETCH_TIMEOUT_MS,
  kafkaClasspath,
  run,
  whyNoJavaCompiler,
  whyNoKafka,
} from './tools.ts'

const VERSIONS = ['3.7.2', '4.1.0']

const program = fileURLToPath(
  new URL('../../../../clients/testing/interop/Transactions.java', import.meta.url),
)
const skip = whyNoKafka() ?? whyNoJavaCompiler() ?? false

t.test('transactions of the Java client', { skip }, async (t) => {
  t.setTimeout(VERSIONS.length * KAFKA_FETCH_TIMEOUT_MS)
  const config = { 'transaction.abort.timed.out.transaction.cleanup.interval.ms': 200 }
  for (const version of VERSIONS) {
    const classpath = await kafkaClasspath(version)
    await using broker = await Broker.start({ ephemeral: true, config })
    const { stdout } = await run('java', ['-cp', classpath, program, broker.bootstrap])
    t.match(stdout.toString(), /^done$/m, version)
  }
})
