// Chunks of real sockets, with TLS and without, are views into one buffer: reading leaves no garbage.

import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'
import { connect as connectTls, createServer as createTlsServer } from 'node:tls'
import t from '../../protocol/testing/tap.ts'
import { authority, local } from '../tls/testing/certified.ts'
import { ReceiveBuffer } from './receive-buffer.ts'

const SENT_BYTES = 300_000

/** Sends and ends, and collects what the receiving socket is handed. */
async function received(
  sender: Socket,
  receiving: (onChunk: (chunk: Buffer) => void) => Socket,
): Promise<{ bytes: Buffer; memory: Set<ArrayBufferLike> }> {
  const copies: Buffer[] = []
  const memory = new Set<ArrayBufferLike>()
  const socket = receiving((chunk) => {
    copies.push(Buffer.from(chunk))
    memory.add(chunk.buffer)
  })
  sender.end(pattern)
  await once(socket, 'end')
  socket.destroy()
  return { bytes: Buffer.concat(copies), memory }
}

const pattern = Buffer.from(Array.from({ length: SENT_BYTES }, (_, i) => (i * 31) >> 3))

t.test('an accepted socket reads into the shared buffer', async (t) => {
  const server = createServer({ pauseOnConnect: true }).listen(0, '127.0.0.1')
  t.teardown(() => server.close())
  await once(server, 'listening')
  const sender = connect((server.address() as AddressInfo).port, '127.0.0.1')
  const [accepted] = (await once(server, 'connection')) as [Socket]
  const buffer = new ReceiveBuffer()
  const { bytes, memory } = await received(sender, (onChunk) =>
    buffer.readInto(accepted, onChunk).resume(),
  )
  t.ok(bytes.equals(pattern))
  t.equal(memory.size, 1)
})

t.test('a TLS socket decrypts into the shared buffer', async (t) => {
  const server = createTlsServer(local).listen(0, '127.0.0.1')
  t.teardown(() => server.close())
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const sender = connectTls({ port, host: '127.0.0.1', ca: authority.cert })
  const buffer = new ReceiveBuffer()
  const { bytes, memory } = await new Promise<Awaited<ReturnType<typeof received>>>((resolve) => {
    server.on('secureConnection', (socket) => {
      const receiving = (onChunk: (chunk: Buffer) => void) => {
        buffer.decryptInto(socket, onChunk)
        return socket
      }
      void received(sender, receiving).then(resolve)
    })
  })
  t.ok(bytes.equals(pattern))
  t.equal(memory.size, 1)
})
