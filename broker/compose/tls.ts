// TLS of the listeners that have it, and of the HTTP server. Network thread.

import type { Closing } from '../../storage/closing.ts'
import { ListenerTls } from '../tls/listener-tls.ts'
import type { BrokerEnvironment } from './environment.ts'

/** @returns by the name of the listener. @throws {KafkaError} INVALID_CONFIG for certificates and rules that cannot be used */
export async function openTls(
  { settings, clock, log }: BrokerEnvironment,
  closing: Closing,
): Promise<ReadonlyMap<string, ListenerTls>> {
  const byName = new Map<string, ListenerTls>()
  for (const { name, tls: config } of [...settings.listeners, settings.http]) {
    if (config === undefined) continue
    const tls = await ListenerTls.open(config, { clock, log })
    closing.add(() => tls.close())
    byName.set(name, tls)
  }
  return byName
}
