// A connection over a socket that a test controls, in a world of its own. Tests only.

import { EventEmitter } from 'node:events'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { BufferPool } from '../../storage/read/buffer-pool.ts'
import type { Clock } from '../../storage/clock.ts'
import type { Dispatch } from '../call.ts'
import { ClientConnection } from '../net/client-connection.ts'
import { LoopTurn } from '../net/loop-turn.ts'
import { LoginRoom } from '../net/login-room.ts'
import { Pressure } from '../net/pressure.ts'
import { Transport } from '../net/transport.ts'
import { Unsent } from '../unsent.ts'
import { ProcessLog } from '../process-log.ts'
import { VirtualClock } from './virtual-clock.ts'

const MIB = 1024 * 1024

/** A socket whose reader takes written bytes only when the test says so. */
export class SocketTaking extends EventEmitter {
  readonly written: { readonly bytes: Uint8Array; readonly taken: () => void }[] = []
  isPaused = false

  write(bytes: Uint8Array, taken: () => void): void {
    this.written.push({ bytes, taken })
  }

  pause(): void {
    this.isPaused = true
  }

  resume(): void {
    this.isPaused = false
  }

  destroy(): void {}
  destroySoon(): void {}
}

/** The dependencies of a connection, in a world of its own. */
export function connectionDeps(dispatch: Partial<Dispatch>, clock: Clock = new VirtualClock()) {
  const minute = 60_000
  return {
    dispatch: dispatch as Dispatch,
    clock,
    pressure: new Pressure({ bytesMax: MIB }, { isCongested: false, onDrain() {} }),
    unsent: new Unsent({ bytesMax: MIB }, clock),
    sasl: { authenticationOf: () => undefined },
    loginRoom: new LoginRoom({ bytesMax: MIB }),
    turn: new LoopTurn(clock),
    frameBuffers: new BufferPool(0),
    log: new ProcessLog('error', clock, { write: () => {} }),
    limits: {
      frameBytesMax: MIB,
      heldBytesMax: MIB,
      unsentBytesMax: MIB,
      frameTimeoutMs: minute,
      writeTimeoutMs: minute,
      idleTimeoutMs: minute,
    },
  }
}

/** A connection over such a socket. @returns its end of the socket */
export function connectionOver(
  socket: SocketTaking | Duplex,
  deps: ReturnType<typeof connectionDeps>,
): Transport {
  const transport = new Transport(socket as unknown as Socket, deps)
  const listener = { name: 'PLAINTEXT', securityProtocol: 'PLAINTEXT', advertised: {} } as const
  new ClientConnection(transport, listener, deps, () => {})
  return transport
}
