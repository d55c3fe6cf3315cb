// ReceiveBuffer: what all sockets of the network thread read into, so that reading leaves no garbage. A chunk is borrowed: it
// is used up before the next is read. Measured: docs/non-obvious.md, docs/decisions/0027

import { Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'

/** Taken from a socket at a time. */
const READ_BYTES = 256 * 1024

/** @param chunk borrowed */
type OnChunk = (chunk: Buffer) => void

/** What Node does not document: the handle of a socket, and that a socket can be made of one. */
interface WithHandle {
  _handle: object | { useUserBuffer(buffer: Buffer): void } | null
}

export class ReceiveBuffer {
  readonly #read = Buffer.allocUnsafeSlow(READ_BYTES)

  /**
   * Node offers this (`onread`) for sockets that connect, not for those that are accepted: an accepted one is taken out of its
   * Socket and put into another.
   *
   * @param accepted of no further use
   */
  readInto(accepted: Socket, onChunk: OnChunk): Socket {
    const bare = accepted as unknown as WithHandle
    const handle = bare._handle
    if (handle === null || !('useUserBuffer' in handle))
      return accepted.on('data', onChunk).resume()
    bare._handle = null
    const options = { handle, allowHalfOpen: true, onread: this.#onRead(onChunk) }
    const socket = new Socket(options)
    socket.on('close', () => accepted.destroy()) // the server counts the one that it accepted
    return socket
  }

  /** A TLS socket must keep its handle: the fields that `onread` would fill are set instead. Nothing was read yet. */
  decryptInto(socket: TLSSocket, onChunk: OnChunk): void {
    const handle = (socket as unknown as WithHandle)._handle
    const fields = Object.getOwnPropertySymbols(socket)
    const bufferField = fields.find(({ description }) => description === 'kBuffer')
    const callbackField = fields.find(({ description }) => description === 'kBufferCb')
    if (bufferField && callbackField && handle !== null && 'useUserBuffer' in handle) {
      const { buffer, callback } = this.#onRead(onChunk)
      Object.assign(socket, { [bufferField]: buffer, [callbackField]: callback })
      handle.useUserBuffer(buffer)
    }
    socket.on('data', onChunk)
  }

  #onRead(onChunk: OnChunk): { buffer: Buffer; callback: (byteCount: number) => true } {
    const buffer = this.#read
    const callback = (byteCount: number): true => {
      onChunk(buffer.subarray(0, byteCount))
      return true
    }
    return { buffer, callback }
  }
}
