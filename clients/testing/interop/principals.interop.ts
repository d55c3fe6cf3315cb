// The principals of clients with certificates, as Java and Apache Kafka name them: odd subjects, and mapping rules.

import { X509Certificate } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t from '../../../protocol/testing/tap.ts'
import { subjectOf } from '../../../broker/tls/distinguished-name.ts'
import { PrincipalRules } from '../../../broker/tls/principal-rules.ts'
import { Authority } from '../certificates.ts'
import { oddSubjects } from '../odd-subjects.ts'
import {
  KAFKA_FETCH_TIMEOUT_MS,
  kafkaClasspath,
  run,
  requireJavaCompiler,
  requireKafka,
} from './tools.ts'

requireKafka()
requireJavaCompiler()

const ruleSets = [
  'DEFAULT',
  '',
  'RULE:^CN=(.*?),OU=ServiceUsers.*$/$1/,DEFAULT',
  'RULE:^CN=(.*?),.*$/$1/L',
  'RULE:^CN=([^,]*),.*$/$1@EXAMPLE/U,RULE:^O=(.*)$/org:$1/',
  'RULE:^CN=.*$/fixed/, RULE:.*/X/',
  'RULE:.*CN=(\\w+).*/$1$4/L ,DEFAULT',
  'RULE:(.)(.)(.*)/$3$2$1$12/',
  'RULE:.*(\\\\,).*/a\\$b/',
  'RULE:^(.*)=(.*)$/a,b\\/$1/,DEFAULT',
  'RULE:^.*[Cc][Nn]=([a-zA-Z0-9.]*).*$/$1/L,RULE:.*OU=(?:a|b)(.*)/$1/',
]

t.test('subjects and mapping rules give the names of Apache Kafka', async (t) => {
  t.setTimeout(KAFKA_FETCH_TIMEOUT_MS + 120_000)
  const authority = new Authority('the principals CA')
  const certificates = Object.values(oddSubjects).map(({ subject }) =>
    authority.issue({ name: 'x', subject }),
  )
  const directory = t.testdir()
  const files = certificates.map(({ cert }, i) => {
    const file = join(directory, `${i}.pem`)
    writeFileSync(file, cert)
    return file
  })
  const source = new URL('../../../../clients/testing/interop/Principals.java', import.meta.url)
  const command = ['-cp', await kafkaClasspath(), fileURLToPath(source)]
  const { stdout } = await run('java', [...command, ...files, '--', ...ruleSets])
  const lines = stdout.toString().trim().split('\n')
  const parsed = await Promise.all(ruleSets.map((text) => PrincipalRules.parse(text)))
  for (const [i, [what, odd]] of Object.entries(oddSubjects).entries()) {
    const [theirName, ...theirMapped] = lines[i]!.split(' ').map(textOf)
    const name = subjectOf(new X509Certificate(certificates[i]!.cert).raw)
    t.equal(name, theirName, what)
    t.equal(theirName, odd.name, what)
    const mapped = parsed.map((rules) => rules.nameOf(name) ?? '-')
    t.strictSame(mapped, theirMapped, `${what}: mapped`)
  }
  t.equal(lines.length, files.length)
})

function textOf(hex: string): string {
  return hex === '-' ? hex : Buffer.from(hex, 'hex').toString()
}
