// KilledWorld: a broker in its own process, on a real disk and behind sockets, which a test kills and restarts. Tests
// only.

import type { Api, RequestInput, ResponseOf } from '../../../protocol/schema.ts'
import { KillableBroker } from '../../../clients/testing/interop/killable-broker.ts'
import { RawClient } from '../raw-client.ts'
import { Gone, type MortalBroker } from './mortal-broker.ts'

export class KilledWorld {
  readonly #broker: KillableBroker
  /** Starts so far; none while the broker is down. */
  #life: number | undefined = 0
  #lifeCount = 1
  #up: Promise<void> = Promise.resolve()

  private constructor(broker: KillableBroker) {
    this.#broker = broker
  }

  static async start(dataDir: string): Promise<KilledWorld> {
    return new KilledWorld(await KillableBroker.start(dataDir))
  }

  get bootstrap(): string {
    return this.#broker.bootstrap
  }

  /** The number of this life; undefined while the broker is down. */
  get life(): number | undefined {
    return this.#life
  }

  whenUp(): Promise<void> {
    return this.#up
  }

  /** SIGKILL. Resolves when it serves again. */
  async kill(): Promise<void> {
    this.#life = undefined
    this.#up = this.#restart()
    await this.#up
  }

  async #restart(): Promise<void> {
    await this.#broker.kill()
    await this.#broker.start()
    this.#life = this.#lifeCount++
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#broker[Symbol.asyncDispose]()
  }
}

/** A client's own socket, a new one in each life of the broker. */
export class Line implements MortalBroker {
  readonly #world: KilledWorld
  #socket: { readonly life: number; readonly client: Promise<RawClient> } | undefined

  constructor(world: KilledWorld) {
    this.#world = world
  }

  whenUp(): Promise<void> {
    return this.#world.whenUp()
  }

  async send<A extends Api<any, any>>(
    api: A,
    request: RequestInput<A>,
    version: number = api.versions.to,
  ): Promise<ResponseOf<A>> {
    const { life } = this.#world
    if (life === undefined) throw new Gone('it is down')
    try {
      const client = await this.#client(life)
      return await client.send(api, request, version)
    } catch (error) {
      if (this.#world.life === life) throw error
      throw new Gone('it was killed')
    }
  }

  async close(): Promise<void> {
    await (await this.#socket?.client.catch(() => undefined))?.close()
  }

  #client(life: number): Promise<RawClient> {
    if (this.#socket?.life !== life) {
      this.#socket = { life, client: RawClient.connect(this.#world.bootstrap) }
    }
    return this.#socket.client
  }
}
