// Chunks of real sockets, with TLS and without, are views into one buffer: reading leaves no garbage.

import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'
import { PassThrough } from 'node:stream'
import { connect as connectTls, createServer as createTlsServer } from 'node:tls'
import t from '../../protocol/testing/tap.ts'
import { authority, local } from '../tls/testing/certified.ts'
import { ReceiveBuffer } from './receive-buffer.ts'

const SENT_BYTES = 300_000

/** Sends and ends, and collects what the receiving socket reads; `copiedCount` are chunks in buffers of their own. */
async function received(
  sender: Socket,
  receiving: (buffer: ReceiveBuffer, onRead: (byteCount: number) => true) => Socket,
): Promise<{ bytes: Buffer; copiedCount: number }> {
  const buffer = new ReceiveBuffer()
  const copies: Buffer[] = []
  let copiedCount = 0
  const socket = receiving(buffer, (byteCount) => {
    copies.push(Buffer.from(buffer.bytes.subarray(0, byteCount)))
    return true
  })
  socket.on('data', () => copiedCount++)
  sender.end(pattern)
  await once(socket, 'end')
  socket.destroy()
  return { bytes: Buffer.concat(copies), copiedCount }
}

const pattern = Buffer.from(Array.from({ length: SENT_BYTES }, (_, i) => (i * 31) >> 3))

t.test('an accepted socket reads into the shared buffer', async (t) => {
  const server = createServer({ pauseOnConnect: true }).listen(0, '127.0.0.1')
  t.teardown(() => server.close())
  await once(server, 'listening')
  const sender = connect((server.address() as AddressInfo).port, '127.0.0.1')
  const [accepted] = (await once(server, 'connection')) as [Socket]
  const { bytes, copiedCount } = await received(sender, (buffer, onRead) =>
    buffer.readInto(accepted, onRead).resume(),
  )
  t.ok(bytes.equals(pattern))
  t.equal(copiedCount, 0)
})

t.test('a TLS socket decrypts into the shared buffer', async (t) => {
  const server = createTlsServer(local).listen(0, '127.0.0.1')
  t.teardown(() => server.close())
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const sender = connectTls({ port, host: '127.0.0.1', ca: authority.cert })
  const { bytes, copiedCount } = await new Promise<Awaited<ReturnType<typeof received>>>(
    (resolve) => {
      server.on('secureConnection', (socket) => {
        const reading = received(sender, (buffer, onRead) => {
          buffer.decryptInto(socket, onRead)
          return socket
        })
        void reading.then(resolve)
      })
    },
  )
  t.ok(bytes.equals(pattern))
  t.equal(copiedCount, 0)
})

t.test('a socket without a handle of its own copies into the shared buffer', async (t) => {
  const through = Object.assign(new PassThrough(), { _handle: null }) as unknown as Socket
  const { bytes, copiedCount } = await received(through, (buffer, onRead) =>
    buffer.readInto(through, onRead),
  )
  t.ok(bytes.equals(pattern))
  t.ok(copiedCount > 0)
})
