// millrace as its users start it: the built CLI in a process of its own, with its defaults.

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { spawnBroker } from '../broker-process.ts'
import { probeKafka } from './kafka-wire.ts'
import { startServer, type PeerKind, type Setting } from './peer.ts'

const packageJson = new URL('../../../package.json', import.meta.url)

const kind: PeerKind = {
  name: 'millrace',
  version: () => (JSON.parse(readFileSync(packageJson, 'utf8')) as { version: string }).version,
  start(dir) {
    const dataDir = join(dir, 'millrace')
    const logPath = join(dir, 'millrace.log')
    const spawn = (port: number) => spawnBroker(dataDir, port, logPath)
    return startServer({ dataDir, logPath, spawn, probe: probeKafka })
  },
}

/** Its default: synced before the answer. */
export const millrace: Setting = { name: 'millrace', kind, topicConfig: {} }

/** Written before the answer, like Kafka's default. */
export const millraceUnsynced: Setting = {
  name: 'millrace, not synced',
  kind,
  topicConfig: { 'flush.policy': 'os' },
}
