// The listeners, and the limits on all clients together. Network thread.

import type { Closing } from '../../storage/closing.ts'
import type { Store } from '../../storage/store.ts'
import type { BrokerConfigs } from '../broker-configs.ts'
import { AcceptLine, acceptLimits } from '../net/accept-line.ts'
import { connectionLimits } from '../net/client-connection.ts'
import { connectionCounts } from '../net/connections.ts'
import { Listeners } from '../net/listeners.ts'
import { LoginRoom, loginLimits } from '../net/login-room.ts'
import { Pressure, pressureLimits } from '../net/pressure.ts'
import { handshakeLimits } from '../net/tls-handshakes.ts'
import type { ListenerTls } from '../tls/listener-tls.ts'
import { Decoys } from '../sasl/decoys.ts'
import { PasswordChecks } from '../sasl/password-checks.ts'
import { SaslListeners } from '../sasl/sasl-listeners.ts'
import { quotaWindows } from '../quota/windows.ts'
import { Unsent, unsentLimits } from '../unsent.ts'
import { openFilesMax, shareOfOpenFiles } from '../open-files.ts'
import type { BrokerEnvironment, OpenListeners } from './environment.ts'
import type { Requests } from './requests.ts'

export interface Network {
  readonly tls: ReadonlyMap<string, ListenerTls>
  readonly listeners: OpenListeners
  readonly sasl: SaslListeners
  readonly pressure: Pressure
  readonly unsent: Unsent
}

/** When it resolves clients may connect. */
export async function openNetwork(
  environment: BrokerEnvironment,
  configs: BrokerConfigs,
  store: Store,
  { dispatch, health, throttling }: Requests,
  tls: Network['tls'],
  closing: Closing,
): Promise<Network> {
  const { settings, clock, log } = environment
  const { openListeners = (...at) => Listeners.open(...at) } = environment
  const pressure = new Pressure(configs.view(pressureLimits), store.writer)
  const unsent = new Unsent(configs.view(unsentLimits), clock)
  const sasl = new SaslListeners([...settings.listeners, settings.http], {
    credentials: store.scramCredentials,
    decoys: new Decoys(store.secret, store.scramCredentials),
    checks: new PasswordChecks(),
    clock,
    log,
  })
  const listeners = await openListeners(settings.listeners, {
    dispatch,
    pressure,
    unsent,
    limits: configs.view(connectionLimits),
    counts: configs.view(connectionCounts),
    acceptLine: new AcceptLine({
      limits: configs.view(acceptLimits),
      window: quotaWindows(configs.current).clients,
      clock,
    }),
    throttling,
    handshakeLimits: configs.view(handshakeLimits),
    tls,
    sasl,
    loginRoom: new LoginRoom(configs.view(loginLimits)),
    socketsMax: shareOfOpenFiles(openFilesMax()).connections,
    clock,
    log,
  })
  closing.add(() => {
    health.stop()
    return listeners.close(configs.current['shutdown.timeout.ms'])
  })
  return { tls, listeners, sasl, pressure, unsent }
}
