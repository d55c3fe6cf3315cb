// Receiving without garbage: every socket reads into the same buffer, whose bytes are used up before the next read.
// Node offers this (`onread`) for sockets that connect, not for those that are accepted: an accepted one is taken out
// of its Socket and put into another. Measured: docs/non-obvious.md. Network thread.

import { Socket, type OnReadOpts } from 'node:net'

/** What Node does not document: the handle of a socket, and that a socket can be made of one. */
interface WithHandle {
  _handle: object | null
}

/**
 * @param accepted by a server with `pauseOnConnect`; of no further use
 * @param buffer shared by all sockets
 * @param onChunk gets a borrowed view into `buffer`
 */
export function receiveInto(
  accepted: Socket,
  buffer: Buffer,
  onChunk: (chunk: Buffer) => void,
): Socket {
  const bare = accepted as unknown as WithHandle
  const handle = bare._handle
  if (handle === null || !('useUserBuffer' in handle)) return receiveChunks(accepted, onChunk)
  bare._handle = null
  const callback: OnReadOpts['callback'] = (byteCount) => {
    onChunk(buffer.subarray(0, byteCount))
    return true
  }
  const options = { handle, allowHalfOpen: true, onread: { buffer, callback } }
  const socket = new Socket(options)
  socket.on('close', () => accepted.destroy()) // the server counts the one that it accepted
  return socket
}

/** The plain way. */
function receiveChunks(socket: Socket, onChunk: (chunk: Buffer) => void): Socket {
  socket.on('data', onChunk)
  return socket.resume()
}
