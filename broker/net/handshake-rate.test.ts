// The token buckets of TLS handshakes: a burst, a rate, one bucket for each IPv6 network, and a bound on all of them.

import t from '../../protocol/testing/tap.ts'
import { VirtualClock } from '../testing/virtual-clock.ts'
import { HandshakeRate } from './handshake-rate.ts'

/** How many of `count` handshakes may begin now. */
function admitted(rate: HandshakeRate, address: string, count: number): number {
  return Array.from({ length: count }, () => rate.admits(address)).filter(Boolean).length
}

t.test(
  'an address has five seconds of its rate in hand, and gets more as time passes',
  async (t) => {
    const clock = new VirtualClock()
    const rate = new HandshakeRate({ ratePerAddress: 10 }, clock)
    t.equal(admitted(rate, '10.0.0.1', 80), 50)
    t.equal(admitted(rate, '10.0.0.2', 80), 50, 'another address has its own')
    await clock.advance(300)
    t.equal(admitted(rate, '10.0.0.1', 80), 3)
    await clock.advance(3_600_000)
    t.equal(admitted(rate, '10.0.0.1', 80), 50, 'no more than that')
  },
)

t.test(
  'all addresses of one IPv6 network count as one, and a mapped one as its IPv4',
  async (t) => {
    const rate = new HandshakeRate({ ratePerAddress: 1 }, new VirtualClock())
    const same = [
      ['2001:db8:1:2::1', '2001:db8:1:2:ffff::', '2001:db8:1:2:3:4:5:6'],
      ['2001:db8::', '2001:db8::1:2', '2001:db8:0:0:1::'],
      ['::1', '::2:3'],
      ['::ffff:10.0.0.1', '10.0.0.1'],
    ]
    for (const addresses of same) {
      t.equal(admitted(rate, addresses[0]!, 5), 5)
      for (const address of addresses) t.notOk(rate.admits(address), address)
    }
    t.ok(rate.admits('2001:db8:1:3::1'), 'the next network')
  },
)

t.test(
  'an address that began handshakes lately is not forgotten for a flood of others',
  async (t) => {
    const rate = new HandshakeRate({ ratePerAddress: 1 }, new VirtualClock())
    t.equal(admitted(rate, '10.0.0.1', 6), 5)
    for (let i = 0; i < 20_000; i++) {
      rate.admits(`10.${1 + (i >> 16)}.${(i >> 8) & 255}.${i & 255}`)
      if (i % 1000 === 0) t.notOk(rate.admits('10.0.0.1'))
    }
  },
)
