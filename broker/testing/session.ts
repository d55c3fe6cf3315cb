// Sessions of an anonymous client. Tests only.

import { ANONYMOUS } from '../auth/principal.ts'
import { Session, type Entrance } from '../session.ts'

export function sessionFor(entrance: Partial<Entrance> = {}): Session {
  return new Session({
    listener: 'PLAINTEXT',
    securityProtocol: 'PLAINTEXT',
    endpoint: { host: '127.0.0.1', port: 9092 },
    remoteAddress: '127.0.0.1',
    principal: ANONYMOUS,
    gone: new AbortController().signal,
    ...entrance,
  })
}
