// Dialling: opens a socket, with TLS if it is configured.

import { connect, type Socket } from 'node:net'
import { explain, addressText, type Address } from './address.ts'
import type { ConnectionOptions } from './connection.ts'
import { handshakeCut } from './tls/trouble.ts'

const RECEIVE_BYTES = 64 * 1024

/** All sockets read into this buffer; the next chunk of any socket overwrites it. */
export const receiveBuffer = Buffer.allocUnsafeSlow(RECEIVE_BYTES)

/**
 * @param onChunk borrows each chunk; none comes before the first request
 * @throws {KafkaError} NETWORK_EXCEPTION, TLS_FAILED: the message has the address, the reason and what to try
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
