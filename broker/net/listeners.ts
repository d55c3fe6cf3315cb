// Listeners: all addresses that the broker listens on, by the names in `listeners`, and what connects to them. Network thread.

import type { Socket } from 'node:net'
import type { ListenerConfig } from '../listener-configs.ts'
import { Connections, type ConnectionsDeps } from './connections.ts'
import { Listener } from './listener.ts'

export class Listeners {
  readonly #listeners: readonly Listener[]
  readonly #connections: Connections

  private constructor(listeners: readonly Listener[], connections: Connections) {
    this.#listeners = listeners
    this.#connections = connections
  }

  /** @throws {CannotListen} for the first address that cannot be bound; none is left bound then */
  static async open(configs: readonly ListenerConfig[], deps: ConnectionsDeps): Promise<Listeners> {
    const { log } = deps
    const connections = new Connections(deps)
    const opened: Listener[] = []
    const listeners = new Listeners(opened, connections)
    const onConnection = (socket: Socket, config: ListenerConfig) => connections.add(socket, config)
    try {
      for (const config of configs) opened.push(await Listener.open(config, { onConnection, log }))
    } catch (error) {
      await listeners.close(0)
      throw error
    }
    return listeners
  }

  /** HOST:PORT of each listener, in the order of the configuration, by name. */
  get addresses(): Readonly<Record<string, string>> {
    return Object.fromEntries(this.#listeners.map(({ name, address }) => [name, address]))
  }

  get connectionCount(): number {
    return this.#connections.count
  }

  /**
   * Accepts and reads nothing more, answers what has arrived, closes every connection.
   *
   * @param graceMs connections that still have answers to send after it are cut off
   */
  async close(graceMs: number): Promise<void> {
    const unbound = this.#listeners.map((listener) => listener.close())
    await this.#connections.close(graceMs)
    await Promise.all(unbound)
  }
}
