// Apache Kafka's own client in transactions: 3.x speaks the protocol before KIP-890 part 2, 4.x the one since then.
// Skipped where Java cannot be run.

import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { Broker } from '../../../broker/broker.ts'
import { run, whyNoJavaCompiler, whyNoKafka } from './tools.ts'

const VERSIONS = ['3.7.2', '4.1.0']
/** Maven fetches the jars the first time; they are kept in this directory. */
const FETCH_TIMEOUT_MS = 100_000
process.env['KAFKA_PEER_DIR'] ??= join(tmpdir(), 'millrace-kafka-interop')

const ofSource = (path: string) => fileURLToPath(new URL(`../../../../${path}`, import.meta.url))

/** What Java finds the client in. */
async function classpathOf(version: string): Promise<string> {
  const args = [`KAFKA_VERSION=${version}`, 'bash', ofSource('bench/peers/kafka.sh'), 'classpath']
  const { stdout } = await run('env', args, Buffer.of(), FETCH_TIMEOUT_MS)
  return stdout.toString().trim()
}

const skip = whyNoKafka() ?? whyNoJavaCompiler() ?? false

t.test('transactions of the Java client', { skip }, async (t) => {
  t.setTimeout(VERSIONS.length * FETCH_TIMEOUT_MS)
  const config = { 'transaction.abort.timed.out.transaction.cleanup.interval.ms': 200 }
  const program = ofSource('clients/testing/interop/Transactions.java')
  for (const version of VERSIONS) {
    const classpath = await classpathOf(version)
    await using broker = await Broker.start({ ephemeral: true, config })
    const { stdout } = await run('java', ['-cp', classpath, program, broker.bootstrap])
    t.match(stdout.toString(), /^done$/m, version)
  }
})
