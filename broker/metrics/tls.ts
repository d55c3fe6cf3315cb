// Metrics of the listeners with TLS. Network thread.

import type { ListenerTls } from '../tls/listener-tls.ts'
import type { Samples } from './samples.ts'

export function addTls(samples: Samples, tls: ListenerTls): void {
  const { listener } = tls.config
  samples.add('millrace_tls_certificate_remaining_seconds', tls.secondsLeft, { listener })
  samples.add('millrace_tls_reloads_total', tls.reloadCount, { listener })
  samples.add('millrace_tls_reload_failures_total', tls.reloadFailureCount, { listener })
  samples.add('millrace_tls_handshakes_total', tls.handshakeCount, { listener })
  for (const [reason, count] of tls.failures)
    samples.add('millrace_tls_handshake_failures_total', count, { listener, reason })
}
