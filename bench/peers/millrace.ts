// millrace as its users start it: the built CLI in a process of its own, with its defaults; and with a TLS listener more.

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { spawnBroker } from '../broker-process.ts'
import { probeKafka } from './kafka-wire.ts'
import { startServer, type PeerKind, type Setting } from './peer.ts'
import { TlsListener } from './tls-listener.ts'

const packageJson = new URL('../../../package.json', import.meta.url)
/** A case opens more connections than an honest client. */
const HANDSHAKES_MAX = 'max.handshake.rate.per.ip=1000000'

function kindOf(name: 'millrace' | 'millrace-tls'): PeerKind {
  return {
    name,
    version: () => (JSON.parse(readFileSync(packageJson, 'utf8')) as { version: string }).version,
    start(dir) {
      const dataDir = join(dir, 'millrace')
      const logPath = join(dir, 'millrace.log')
      const tls = name === 'millrace-tls' ? new TlsListener(dir) : undefined
      const spawn = (port: number) => {
        const listeners = `listeners=PLAINTEXT://127.0.0.1:${port},${tls?.at(port)}`
        const properties = tls && [listeners, ...tls.properties, HANDSHAKES_MAX]
        return spawnBroker(dataDir, port, { logPath, ...(properties && { properties }) })
      }
      return startServer({ dataDir, logPath, spawn, probe: probeKafka, tls })
    },
  }
}

const kind = kindOf('millrace')

/** Its default: synced before the answer. */
export const millrace: Setting = { name: 'millrace', kind, topicConfig: {} }

/** Written before the answer, like Kafka's default. */
export const millraceUnsynced: Setting = {
  name: 'millrace, not synced',
  kind,
  topicConfig: { 'flush.policy': 'os' },
}

/** The same, for clients with TLS and without. */
export const millraceTls: Setting = {
  name: 'millrace, TLS',
  kind: kindOf('millrace-tls'),
  topicConfig: { 'flush.policy': 'os' },
}
