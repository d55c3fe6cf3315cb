// ConnectionPool: at most one socket per broker and lane, opened on demand.
// A lane is one user's row of requests: a long poll holds up only what comes after it on the same socket.

import { addressText, type Address } from './address.ts'
import { Connection, type ConnectionOptions } from './connection.ts'

export class ConnectionPool {
  readonly #options: ConnectionOptions
  /** Lane -> address -> open or opening. */
  readonly #lanes = new Map<string, Map<string, Promise<Connection>>>()
  readonly #open = new Map<string, Set<Connection>>()

  constructor(options: ConnectionOptions) {
    this.#options = options
  }

  /** @returns the lane's socket to `address`; callers that meet share one attempt to open it */
  get(address: Address, lane: string): Promise<Connection> {
    const key = addressText(address)
    const connections = entry(this.#lanes, lane, () => new Map<string, Promise<Connection>>())
    const known = connections.get(key)
    if (known !== undefined) return known
    const opening = this.#connect(address, lane, () => {
      if (connections.get(key) === opening) connections.delete(key)
    })
    connections.set(key, opening)
    return opening
  }

  /** Some open socket of the lane. */
  anyOpen(lane: string): Connection | undefined {
    return this.#open.get(lane)?.values().next().value
  }

  /** Closes the sockets of a lane, those under way as soon as they open. */
  closeLane(lane: string): void {
    const connections = this.#lanes.get(lane)
    this.#lanes.delete(lane)
    for (const opening of connections?.values() ?? []) {
      opening.then((connection) => connection.close()).catch(() => {}) // who asked for it hears of the failure
    }
    this.#open.delete(lane)
  }

  close(): void {
    for (const lane of this.#lanes.keys()) this.closeLane(lane)
  }

  async #connect(address: Address, lane: string, forget: () => void): Promise<Connection> {
    try {
      const connection = await Connection.open(address, this.#options)
      const open = entry(this.#open, lane, () => new Set<Connection>())
      open.add(connection)
      connection.onClose = () => {
        open.delete(connection)
        forget()
      }
      return connection
    } catch (error) {
      forget()
      throw error
    }
  }
}

function entry<K, V>(map: Map<K, V>, key: K, create: () => V): V {
  const known = map.get(key)
  if (known !== undefined) return known
  const created = create()
  map.set(key, created)
  return created
}
