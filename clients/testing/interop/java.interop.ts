// Apache Kafka's own client in transactions: 3.x speaks the protocol before KIP-890 part 2, 4.x the one since then.
// Needs a JDK and Maven, which fetches the jars once; without them it says so and passes.

import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { Broker } from '../../../broker/broker.ts'
import { run } from './tools.ts'

const VERSIONS = ['3.7.2', '4.1.0']

const source = fileURLToPath(
  new URL('../../../../clients/testing/interop/Transactions.java', import.meta.url),
)
const missing = ['java', 'javac', 'mvn'].filter(
  (each) => spawnSync(each, ['--version']).status !== 0,
)

/** @returns a directory of jars */
async function jarsOf(version: string, directory: string): Promise<string> {
  mkdirSync(directory)
  const pom = join(directory, 'pom.xml')
  const client = `<groupId>org.apache.kafka</groupId><artifactId>kafka-clients</artifactId><version>${version}</version>`
  writeFileSync(
    pom,
    `<project xmlns="http://maven.apache.org/POM/4.0.0">
      <modelVersion>4.0.0</modelVersion>
      <groupId>millrace</groupId><artifactId>java-interop</artifactId><version>1</version>
      <dependencies><dependency>${client}</dependency></dependencies>
    </project>`,
  )
  const to = join(directory, 'libs')
  const goal = ['dependency:copy-dependencies', `-DoutputDirectory=${to}`]
  await run('mvn', ['-q', '-B', '-f', pom, ...goal])
  return to
}

t.test('transactions of the Java client', async (t) => {
  if (missing.length > 0) {
    t.comment(
      `not run: ${missing.join(', ')} missing. Run: apt-get install --yes default-jdk maven`,
    )
    return
  }
  const directory = mkdtempSync(join(tmpdir(), 'millrace-java-'))
  t.teardown(() => rmSync(directory, { recursive: true }))
  const config = { 'transaction.abort.timed.out.transaction.cleanup.interval.ms': 200 }
  for (const version of VERSIONS) {
    const jars = await jarsOf(version, join(directory, version))
    await using broker = await Broker.start({ ephemeral: true, config })
    const { stdout } = await run('java', ['-cp', join(jars, '*'), source, broker.bootstrap])
    t.match(stdout.toString(), /^done$/m, version)
  }
})
