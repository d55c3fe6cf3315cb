// HandshakeRate: how many TLS handshakes each address may begin: a token bucket for each, asked before any work of TLS, because
// a handshake costs the loop ten times as much as the refusal. Network thread.

import { isIPv6 } from 'node:net'
import type { Clock } from '../../storage/clock.ts'
import { plainAddress } from '../addresses.ts'

/** A pool of clients that starts all at once has this much of its rate in hand. */
const BURST_SECONDS = 5
const BUCKETS_MAX = 10_000

interface Bucket {
  tokens: number
  /** Monotonic ms. */
  at: number
}

export class HandshakeRate {
  readonly #limits: { readonly ratePerAddress: number }
  readonly #clock: Clock
  /** By address; the one asked for longest ago first. */
  readonly #buckets = new Map<string, Bucket>()

  constructor(limits: { readonly ratePerAddress: number }, clock: Clock) {
    this.#limits = limits
    this.#clock = clock
  }

  /** Takes a token. @returns false when the address has none left */
  admits(address: string): boolean {
    const key = networkOf(plainAddress(address))
    const bucket = this.#filled(key)
    this.#buckets.delete(key)
    this.#buckets.set(key, bucket)
    if (this.#buckets.size > BUCKETS_MAX) this.#forgetOldest()
    if (bucket.tokens < 1) return false
    bucket.tokens--
    return true
  }

  #filled(key: string): Bucket {
    const { ratePerAddress } = this.#limits
    const tokensMax = ratePerAddress * BURST_SECONDS
    const at = this.#clock.monotonic()
    const bucket = this.#buckets.get(key)
    if (bucket === undefined) return { tokens: tokensMax, at }
    const more = ((at - bucket.at) / 1000) * ratePerAddress
    return { tokens: Math.min(tokensMax, bucket.tokens + more), at }
  }

  #forgetOldest(): void {
    const [oldest] = this.#buckets.keys()
    if (oldest !== undefined) this.#buckets.delete(oldest)
  }
}

/** An IPv6 client has 2^64 addresses of its own: they count as one. */
function networkOf(address: string): string {
  if (!isIPv6(address)) return address
  const [head = '', tail] = address.split('::')
  const first = head === '' ? [] : head.split(':')
  const last = tail === undefined || tail === '' ? [] : tail.split(':')
  const zeros =
    tail === undefined ? [] : Array(Math.max(0, 8 - first.length - last.length)).fill('0')
  return [...first, ...zeros, ...last].slice(0, 4).join(':')
}
