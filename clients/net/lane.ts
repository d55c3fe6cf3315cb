// Lane: the sockets of one user (the client's short requests, a producer, a consumer), at most one per broker, opened on
// demand. A long poll or a queue of Produce requests delays later requests on its socket, so each user has a lane of its own.

import { KafkaError } from '../../protocol/errors.ts'
import { addressText, type Address } from './address.ts'
import { Connection, type ConnectionOptions } from './connection.ts'

export class Lane {
  readonly #options: ConnectionOptions
  /** By address, open or opening. */
  readonly #connections = new Map<string, Promise<Connection>>()
  readonly #open = new Set<Connection>()
  #isClosed = false

  constructor(options: ConnectionOptions) {
    this.#options = options
  }

  /**
   * @returns the socket to `address`; concurrent callers share one attempt to open it
   * @throws {KafkaError} as `Connection.open`; CLOSED
   */
  get(address: Address): Promise<Connection> {
    const key = addressText(address)
    const known = this.#connections.get(key)
    if (known !== undefined) return known
    const opening = this.#connect(address, key)
    this.#connections.set(key, opening)
    return opening
  }

  anyOpen(): Connection | undefined {
    return this.#open.values().next().value
  }

  /** Closes its sockets, and those that are still opening once they open. Idempotent. */
  close(): void {
    this.#isClosed = true
    for (const connection of this.#open) connection.close()
  }

  async #connect(address: Address, key: string): Promise<Connection> {
    try {
      this.#refuseIfClosed()
      const connection = await Connection.open(address, this.#options)
      connection.onClose = () => {
        this.#open.delete(connection)
        this.#connections.delete(key)
      }
      this.#open.add(connection)
      if (this.#isClosed) connection.close()
      this.#refuseIfClosed()
      return connection
    } catch (error) {
      this.#connections.delete(key)
      throw error
    }
  }

  #refuseIfClosed(): void {
    if (this.#isClosed)
      throw new KafkaError('CLOSED', 'the client, or what was called of it, is closed')
  }
}
