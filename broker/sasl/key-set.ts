// KeySet: the public keys of a token server (JWKS), read from a URL or a file when they are needed. A server that is away makes
// only logins fail that need it. Network thread.

import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import type { JSONWebKeySet } from 'jose'
import type { Clock } from '../../storage/clock.ts'
import type { ProcessLog } from '../process-log.ts'

const KEY_SET_BYTES_MAX = 1024 * 1024
const ANSWER_TIMEOUT_MS = 5_000
/** Tokens with unknown keys, or a server that is away, cause no more reads than this. */
const READ_INTERVAL_MS_MIN = 10_000

interface KeySetDeps {
  readonly url: string
  readonly refreshMs: number
  readonly clock: Clock
  readonly log: ProcessLog
}

export class KeySet {
  readonly #deps: KeySetDeps
  #keys: JSONWebKeySet | undefined
  /** Monotonic ms. */
  #readAt = -Infinity
  #triedAt = -Infinity
  #reading: Promise<void> | undefined

  constructor(deps: KeySetDeps) {
    this.#deps = deps
  }

  /**
   * @param wantsNewer the keys of the last call lack one
   * @throws {Error} no key set could be read yet
   */
  async keys(wantsNewer = false): Promise<JSONWebKeySet> {
    const now = this.#deps.clock.monotonic()
    const isOld = wantsNewer || now - this.#readAt > this.#deps.refreshMs
    if (isOld && now - this.#triedAt > READ_INTERVAL_MS_MIN) {
      this.#triedAt = now
      this.#reading = this.#read().finally(() => (this.#reading = undefined))
    }
    await this.#reading
    if (this.#keys === undefined) throw new Error('the key set cannot be read')
    return this.#keys
  }

  /** The keys stay as they are when it fails. */
  async #read(): Promise<void> {
    const { url, clock, log } = this.#deps
    try {
      this.#keys = parsed(await contentsOf(new URL(url)))
      this.#readAt = clock.monotonic()
    } catch (error) {
      const { origin, pathname } = new URL(url)
      const place = origin === 'null' ? pathname : origin + pathname // not the rest, which may have a secret
      const reason = reasonOf(error)
      const advice = 'check sasl.oauthbearer.jwks.endpoint.url, and whether the server answers'
      log.error('the key set of OAUTHBEARER cannot be read', { url: place, reason, advice })
    }
  }
}

async function contentsOf(url: URL): Promise<string> {
  if (url.protocol === 'file:') return readFile(fileURLToPath(url), 'utf8')
  const signal = AbortSignal.timeout(ANSWER_TIMEOUT_MS)
  const answer = await fetch(url, { signal, redirect: 'error' })
  if (!answer.ok) throw new Error(`it answers with status ${answer.status}`)
  const decoder = new TextDecoder()
  let text = ''
  for await (const chunk of answer.body ?? []) {
    text += decoder.decode(chunk as Uint8Array, { stream: true })
    if (text.length > KEY_SET_BYTES_MAX) throw new Error('it is too large')
  }
  return text
}

/** @throws {Error} */
function parsed(text: string): JSONWebKeySet {
  const set: unknown = JSON.parse(text)
  const keys = typeof set === 'object' && set !== null && 'keys' in set ? set.keys : undefined
  if (!Array.isArray(keys)) throw new Error('it has no list of keys')
  return { keys: keys.filter((key) => typeof key === 'object' && key !== null) }
}

function reasonOf(error: unknown): string {
  const { message, cause } = error as Error & { cause?: Error }
  return cause === undefined ? message : `${message}: ${cause.message}`
}
