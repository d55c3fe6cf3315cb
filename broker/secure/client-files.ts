// Files with which clients log in after `start --secure`: each program's own settings, ready to use on this machine. They
// contain the password. For users: docs/guide/security.md

import { certificateFiles } from './certificates.ts'
import type { PrivateFiles } from './private-files.ts'

/** By client. */
export const clientFiles = {
  /** kcat -F, librdkafka, millrace -F. */
  librdkafka: 'librdkafka.conf',
  /** Kafka's tools: --command-config. */
  java: 'java.properties',
  kafkajs: 'kafkajs.mjs',
} as const

export interface Login {
  readonly bootstrap: string
  readonly user: string
  /** Letters and digits. */
  readonly password: string
}

const ABOUT = `made by millrace start --secure. On another machine: copy ca.pem too, and change its path and the host.`

export function writeClientFiles(files: PrivateFiles, login: Login): void {
  const ca = files.path(certificateFiles.ca)
  files.write(clientFiles.librdkafka, librdkafka(login, ca))
  files.write(clientFiles.java, java(login, ca))
  files.write(clientFiles.kafkajs, kafkajs(login))
}

function librdkafka({ bootstrap, user, password }: Login, ca: string): string {
  return `# For librdkafka, kcat -F and millrace -F, ${ABOUT}
bootstrap.servers=${bootstrap}
security.protocol=SASL_SSL
ssl.ca.location=${ca}
sasl.mechanism=SCRAM-SHA-512
sasl.username=${user}
sasl.password=${password}
`
}

function java({ bootstrap, user, password }: Login, ca: string): string {
  const module = 'org.apache.kafka.common.security.scram.ScramLoginModule'
  return `# For Java's clients and Kafka's tools, ${ABOUT}
bootstrap.servers=${bootstrap}
security.protocol=SASL_SSL
ssl.truststore.type=PEM
ssl.truststore.location=${propertyText(ca)}
sasl.mechanism=SCRAM-SHA-512
sasl.jaas.config=${module} required username="${user}" password="${password}";
`
}

function kafkajs({ bootstrap, user, password }: Login): string {
  return `// For kafkajs, new Kafka(settings), ${ABOUT}
import { readFileSync } from 'node:fs'

export default {
  brokers: ['${bootstrap}'],
  ssl: { ca: [readFileSync(new URL('${certificateFiles.ca}', import.meta.url), 'utf8')] },
  sasl: { mechanism: 'scram-sha-512', username: '${user}', password: '${password}' },
}
`
}

/** A file of Java's properties is Latin-1, and a backslash escapes. */
function propertyText(text: string): string {
  const escaped = (c: string) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`
  return text.replaceAll('\\', '\\\\').replaceAll(/[^\x20-\x7e]/g, escaped)
}
