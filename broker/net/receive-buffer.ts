// ReceiveBuffer: what all sockets of the network thread read into, so that reading leaves no garbage. What is in it is
// used up before the next read. Measured: docs/non-obvious.md, docs/decisions/0027

import { Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'

/** Taken from a socket at a time. */
const READ_BYTES = 256 * 1024

/** Hears of bytes at the beginning of the buffer. @returns true: the socket reads on */
type OnRead = (byteCount: number) => true

/** What Node does not document: the handle of a socket, and that a socket can be made of one. */
interface WithHandle {
  _handle: object | { useUserBuffer(buffer: Buffer): void } | null
}

export class ReceiveBuffer {
  readonly bytes = Buffer.allocUnsafeSlow(READ_BYTES)

  /**
   * Node offers this (`onread`) for sockets that connect, not for those that are accepted: an accepted one is taken out of its
   * Socket and put into another.
   *
   * @param accepted of no further use
   */
  readInto(accepted: Socket, onRead: OnRead): Socket {
    const bare = accepted as unknown as WithHandle
    const handle = bare._handle
    if (handle === null || !('useUserBuffer' in handle))
      return accepted.on('data', (chunk) => this.#copied(chunk, onRead)).resume()
    bare._handle = null
    const options = {
      handle,
      allowHalfOpen: true,
      onread: { buffer: this.bytes, callback: onRead },
    }
    const socket = new Socket(options)
    socket.on('close', () => accepted.destroy()) // the server counts the one that it accepted
    return socket
  }

  /** A TLS socket must keep its handle: the fields that `onread` would fill are set instead. Nothing was read yet. */
  decryptInto(socket: TLSSocket, onRead: OnRead): void {
    const handle = (socket as unknown as WithHandle)._handle
    const fields = Object.getOwnPropertySymbols(socket)
    const bufferField = fields.find(({ description }) => description === 'kBuffer')
    const callbackField = fields.find(({ description }) => description === 'kBufferCb')
    if (bufferField && callbackField && handle !== null && 'useUserBuffer' in handle) {
      Object.assign(socket, { [bufferField]: this.bytes, [callbackField]: onRead })
      handle.useUserBuffer(this.bytes)
    }
    socket.on('data', (chunk) => this.#copied(chunk, onRead))
  }

  /** Where Node has no such fields, a chunk has a buffer of its own. */
  #copied(chunk: Buffer, onRead: OnRead): void {
    for (let at = 0; at < chunk.length; at += this.bytes.length)
      onRead(chunk.copy(this.bytes, 0, at))
  }
}
