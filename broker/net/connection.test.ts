// Transport, exchanges, first bytes: what a connection promises of itself, and that it notices when that is broken.

import { once } from 'node:events'
import { connect } from 'node:net'
import { Duplex } from 'node:stream'
import t from '../../protocol/testing/tap.ts'
import type { AnswerPlace, Dispatch } from '../call.ts'
import { connectionDeps, connectionOver, SocketTaking } from '../testing/client-connection.ts'
import { VirtualClock } from '../testing/virtual-clock.ts'
import { World } from '../testing/world.ts'
import { Exchanges } from './exchanges.ts'
import { Pressure } from './pressure.ts'
import { Transport } from './transport.ts'
import { newHolder, Unsent } from '../unsent.ts'

const MIB = 1024 * 1024
const answer = [Buffer.from('answer')]
const frame = (id: number) => Buffer.of(0, 0, 0, 2, 0, id)

function openExchanges() {
  const transport = new Transport(new SocketTaking() as never, connectionDeps({}))
  return { transport, exchanges: new Exchanges(transport, () => {}) }
}

t.test('answers leave in the order of their requests, whichever is ready first', async (t) => {
  const started: { id: number; exchange: AnswerPlace; onDone: () => void }[] = []
  const socket = new SocketTaking()
  const dispatch: Partial<Dispatch> = {
    appends: () => true,
    start: (request, exchange, _session, onDone) =>
      void started.push({ id: request[1]!, exchange, onDone }),
  }
  const transport = connectionOver(socket, connectionDeps(dispatch))
  transport.receive(Buffer.concat([frame(1), frame(2), frame(3)]))
  t.same(
    started.map(({ id }) => id),
    [1, 2, 3],
  )
  for (const { id, exchange, onDone } of started.reverse()) {
    t.same(socket.written, [])
    exchange.answer = [Buffer.of(id)]
    onDone()
    await new Promise(setImmediate)
  }
  t.same(
    socket.written.map(({ bytes }) => [...bytes]),
    [[1, 2, 3]],
  )
})

t.test('an answer that overtakes another is noticed', async (t) => {
  const { transport, exchanges } = openExchanges()
  const [first, second] = [exchanges.open(10, true), exchanges.open(10, true)]
  t.throws(() => transport.send(answer, second), { code: 'ERR_ASSERTION', message: /in the order/ })
  transport.send(answer, first)
  transport.send(answer, second)
})

t.test('a request that must wait, or that is done twice, is noticed', async (t) => {
  const { exchanges } = openExchanges()
  const only = exchanges.open(10, false)
  for (const appends of [true, false]) {
    t.notOk(exchanges.mayOpen(appends))
    t.throws(() => exchanges.open(10, appends), { code: 'ERR_ASSERTION' })
  }
  t.throws(() => exchanges.done(only), { code: 'ERR_ASSERTION', message: /has its answer/ })
  const { exchanges: others } = openExchanges()
  const [one, two] = [others.open(10, true), others.open(30, true)]
  t.notOk(others.mayOpen(false), 'one that must see what those append')
  one.answer = two.answer = answer
  others.done(one)
  t.equal(others.runningBytes, 30)
  t.throws(() => others.done(one), { code: 'ERR_ASSERTION', message: /done once/ })
  others.done(two)
  t.equal(others.runningBytes, 0)
})

t.test('who gives back more than was held is noticed', async (t) => {
  const pressure = new Pressure({ bytesMax: MIB }, { isCongested: false, onDrain() {} })
  pressure.hold(10, true)
  t.throws(() => pressure.hold(-10, false), { code: 'ERR_ASSERTION', message: /given back/ })
  const unsent = new Unsent({ bytesMax: MIB }, new VirtualClock())
  const holder = newHolder(() => {})
  unsent.hold(holder, 10)
  t.throws(() => unsent.hold(holder, -11), { code: 'ERR_ASSERTION', message: /given back/ })
})

t.test('a connection that is owed something when it has every answer is noticed', async (t) => {
  const socket = new SocketTaking()
  const dispatch: Partial<Dispatch> = {
    appends: () => false,
    start(_request, exchange, _session, onDone) {
      exchange.answer = answer
      onDone()
    },
  }
  const transport = connectionOver(socket, connectionDeps(dispatch))
  transport.receive(frame(1))
  await new Promise(setImmediate)
  socket.written.shift()!.taken()
  t.equal(transport.unsentBytes, 0)
  transport.receive(frame(2))
  await new Promise(setImmediate)
  transport.owe(1)
  t.throws(() => socket.written.shift()!.taken(), { code: 'ERR_ASSERTION', message: /is owed/ })
})

t.test(
  'what runs when its client hangs up is held until it is done, and not answered',
  async (t) => {
    const running: (() => void)[] = []
    const socket = new SocketTaking()
    const dispatch: Partial<Dispatch> = {
      appends: () => true,
      start(_request, exchange, _session, onDone) {
        exchange.sent = [() => sent.push('')]
        running.push(() => {
          exchange.answer = answer
          onDone()
        })
      },
    }
    const sent: string[] = []
    const deps = connectionDeps(dispatch)
    const transport = connectionOver(socket, deps)
    transport.receive(Buffer.concat([frame(1), frame(2)]))
    running.shift()!()
    socket.emit('close')
    t.equal(sent.length, 1, 'the answer that was ready lets go of what it holds')
    t.equal(deps.pressure.bytesHeld, 2)
    running.shift()!()
    t.equal(sent.length, 2)
    t.equal(deps.pressure.bytesHeld, 0)
    t.equal(deps.unsent.heldBytes, 0)
    t.same(socket.written, [])
  },
)

t.test('a client that is gone in the middle of a large answer is let go of once', async (t) => {
  let wroteBytes = 0
  const duplex = new Duplex({
    read() {},
    write(chunk: Buffer, _encoding, callback) {
      wroteBytes += chunk.length
      const isGone = wroteBytes > MIB / 2
      callback(isGone ? Object.assign(new Error('write EPIPE'), { code: 'EPIPE' }) : null)
    },
  })
  const socket = Object.assign(duplex, { destroySoon: () => duplex.destroy() })
  let sentCount = 0
  const dispatch: Partial<Dispatch> = {
    appends: () => false,
    start(_request, exchange, _session, onDone) {
      exchange.answer = [Buffer.alloc(1.1 * MIB)]
      exchange.sent = [() => sentCount++]
      onDone()
    },
  }
  const deps = connectionDeps(dispatch)
  const transport = connectionOver(socket, deps)
  transport.receive(frame(1))
  await once(socket, 'close')
  await new Promise(setImmediate)
  t.equal(sentCount, 1)
  t.ok(transport.isClosed)
  t.ok(transport.unsentBytes > 0, 'what failed to be written does not count as taken')
  t.equal(deps.unsent.heldBytes, 0)
})

t.test('a request that must wait and then closes the connection drops what is owed', async (t) => {
  const socket = new SocketTaking()
  let answerFirst = () => {}
  const dispatch: Partial<Dispatch> = {
    appends: () => false,
    start(request, exchange, _session, onDone) {
      exchange.answer = answer
      if (request[1] === 1) answerFirst = onDone
      else onDone(request[1] === 2 ? undefined : new Error('no request'))
    },
  }
  const deps = connectionDeps(dispatch)
  const transport = connectionOver(socket, deps)
  transport.receive(Buffer.concat([frame(1), frame(2), frame(3), frame(4)]))
  answerFirst()
  await new Promise(setImmediate)
  t.ok(transport.isClosed)
  t.equal(deps.pressure.bytesHeld, 0)
  t.equal(deps.unsent.heldBytes, 0)
  t.same(socket.written, [])
})

t.test(
  'the writer is asked once for each request that appends whether it has enough',
  async (t) => {
    let askedCount = 0
    let isCongested = false
    let drain = () => {}
    const store = {
      get isCongested() {
        askedCount++
        return isCongested
      },
      onDrain: (callback: () => void) => void (drain = callback),
    }
    const socket = new SocketTaking()
    const dispatch: Partial<Dispatch> = {
      appends: (request) => request[1] === 1,
      start(_request, exchange, _session, onDone) {
        exchange.answer = answer
        onDone()
      },
    }
    const pressure = new Pressure({ bytesMax: MIB }, store)
    const transport = connectionOver(socket, { ...connectionDeps(dispatch), pressure })
    const ask = async (id: number) => {
      transport.receive(frame(id))
      await new Promise(setImmediate)
      socket.written.shift()!.taken()
    }
    await ask(1)
    await ask(1)
    t.equal(askedCount, 2)
    await ask(2)
    t.equal(askedCount, 2, 'others append nothing')
    isCongested = true
    await ask(1)
    t.ok(socket.isPaused)
    isCongested = false
    drain()
    t.notOk(socket.isPaused)
    t.equal(askedCount, 3)
  },
)

/** Sends `pieces` one by one. @returns what comes until the broker hangs up */
async function answerTo(bootstrap: string, pieces: readonly Buffer[]): Promise<string> {
  const { hostname, port } = new URL(`kafka://${bootstrap}`)
  const socket = connect({ host: hostname, port: Number(port), noDelay: true })
  let text = ''
  socket.on('data', (chunk) => (text += chunk.toString()))
  socket.on('error', () => {})
  const closed = once(socket, 'close')
  for (const piece of pieces) {
    socket.write(piece)
    await new Promise(setImmediate)
  }
  await closed
  return text
}

t.test(
  'a client of another protocol is turned away, with a line in the log that says so',
  async (t) => {
    const world = await World.open(t)
    const { bootstrap } = world.broker
    const hello = Buffer.from('160301013a010001360303', 'hex')
    const get = Buffer.from('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n')
    const bytewise = (bytes: Buffer) => Array.from(bytes, (byte) => Buffer.of(byte))
    const cases: [what: string, pieces: Buffer[], reason: RegExp, answer: RegExp][] = [
      ['TLS', [hello], /TLS hello on listener PLAINTEXT: .*security.protocol=PLAINTEXT/, /^$/],
      ['TLS by its first byte', [hello.subarray(0, 1)], /TLS hello/, /^$/],
      ['HTTP', [get], /HTTP request on listener PLAINTEXT/, /^HTTP\/1\.1 400 .*http\.port/s],
      ['HTTP in pieces', bytewise(get.subarray(0, 4)), /HTTP request/, /^HTTP\/1\.1 400 /],
      ['HTTP/2', [Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n')], /HTTP request/, /400/],
      ['text', [Buffer.from('hello\n')], /text on listener PLAINTEXT/, /^$/],
      ['text like HTTP', bytewise(Buffer.from('GETS')), /text on listener/, /^$/],
    ]
    for (const [what, pieces, reason, expected] of cases) {
      world.logged.length = 0
      t.match(await answerTo(bootstrap, pieces), expected, what)
      const line = { level: 'warn', message: 'connection closed', listener: 'PLAINTEXT', reason }
      t.match(world.logged.at(-1), line, what)
    }
  },
)

t.test(
  'a client that says too little to tell what it speaks is closed when its time is up',
  async (t) => {
    const clock = new VirtualClock()
    const world = await World.open(t, { clock })
    const closing = answerTo(world.broker.bootstrap, [Buffer.from('GE')])
    for (let seconds = 0; seconds < 40; seconds++) {
      for (let i = 0; i < 3; i++) await new Promise(setImmediate)
      await clock.advance(1000)
    }
    await closing
    t.match(world.logged.at(-1), { reason: 'no complete frame within 30000 ms' })
  },
)
