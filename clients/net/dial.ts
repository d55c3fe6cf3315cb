// Dialling: a socket that is connected, and has TLS where that is wanted.

import { connect, type Socket } from 'node:net'
import { explain, addressText, type Address } from './address.ts'
import type { ConnectionOptions } from './connection.ts'
import { handshakeCut } from './tls/trouble.ts'

const RECEIVE_BYTES = 64 * 1024

/** What all sockets read into, one after the other: what is in it is gone with the next chunk. */
export const receiveBuffer = Buffer.allocUnsafeSlow(RECEIVE_BYTES)

/**
 * @param onChunk is lent what arrives; nothing does before the first request
 * @throws {KafkaError} NETWORK_EXCEPTION, TLS_FAILED: what was dialled, why it failed and what to try
 */
export function dial(
  address: Address,
  onChunk: (chunk: Buffer) => void,
  { clock, connectTimeoutMs, tls }: ConnectionOptions,
): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const callback = (bytes: number): boolean => {
      onChunk(receiveBuffer.subarray(0, bytes))
      return true
    }
    const onread = { buffer: receiveBuffer, callback }
    const { host, port } = address
    const socket = tls?.connect(address, onread) ?? connect({ host, port, onread })
    let isShakingHands = false
    const fail = (error: Error): void => {
      timer.cancel()
      socket.destroy()
      reject(
        isShakingHands && isCut(error)
          ? handshakeCut(addressText(address), error)
          : explain(address, error),
      )
    }
    const timer = clock.after(connectTimeoutMs, () =>
      fail(new Error(`no ${isShakingHands ? 'TLS' : 'answer'} within ${connectTimeoutMs} ms`)),
    )
    socket.once('error', fail)
    const ready = (): void => {
      timer.cancel()
      socket.off('error', fail)
      resolve(socket)
    }
    if (tls === undefined) socket.once('connect', ready)
    else socket.once('connect', () => (isShakingHands = true)).once('secureConnect', ready)
  })
}

function isCut({ code }: NodeJS.ErrnoException): boolean {
  return code === 'ECONNRESET' || code === 'EPIPE'
}
