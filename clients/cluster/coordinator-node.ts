// CoordinatorNode: the coordinator of a group or a transactional id. Found when needed, and again when it has moved.

import { findCoordinator } from '../../protocol/api/10_find_coordinator.ts'
import { errorName, KafkaError, type ErrorName } from '../../protocol/errors.ts'
import type { Api, RequestInput, ResponseOf } from '../../protocol/schema.ts'
import type { Call } from '../call.ts'
import type { Cluster } from './cluster.ts'
import type { Connection } from '../net/connection.ts'
import type { Lane } from '../net/lane.ts'

/** Errors after which another broker is the coordinator, or will be in a moment. */
const MOVED: ReadonlySet<ErrorName> = new Set([
  'NOT_COORDINATOR',
  'COORDINATOR_NOT_AVAILABLE',
  'NETWORK_EXCEPTION',
  'REQUEST_TIMED_OUT',
  'LEADER_NOT_AVAILABLE',
])

/** Kafka's numbers of key types. */
const keyTypes = { group: 0, 'transactional id': 1 } as const
export type CoordinatedKind = keyof typeof keyTypes

export interface AskOptions {
  /** How much longer than the ordinary timeout the coordinator may take. */
  readonly patienceMs?: number
  /** Use no newer version of the API. */
  readonly versionMax?: number
}

export class CoordinatorNode {
  readonly #cluster: Cluster
  readonly #kind: CoordinatedKind
  readonly #key: string
  #nodeId: number | undefined

  constructor(cluster: Cluster, kind: CoordinatedKind, key: string) {
    this.#cluster = cluster
    this.#kind = kind
    this.#key = key
  }

  /** @throws {KafkaError} the socket's error; the caller handles errors in the answer: see `check` */
  async ask<A extends Api<any, any>>(
    lane: Lane,
    api: A,
    request: RequestInput<A>,
    call: Call,
    { patienceMs = 0, versionMax = Infinity }: AskOptions = {},
  ): Promise<ResponseOf<A>> {
    const connection = await this.connection(lane, call)
    try {
      const version = connection.version(api, versionMax)
      return await call.wait(connection.request(api, version, request, patienceMs))
    } catch (error) {
      throw this.#noted(error)
    }
  }

  async connection(lane: Lane, call: Call): Promise<Connection> {
    try {
      this.#nodeId ??= await findNode(this.#cluster, this.#kind, this.#key, call)
      return await this.#cluster.connection(this.#nodeId, lane, call)
    } catch (error) {
      throw this.#noted(error)
    }
  }

  /** @throws {KafkaError} an answer's error; if the broker is not the coordinator, the next call finds it again */
  check(errorCode: number, what: string): void {
    const error = errorName(errorCode)
    if (error === undefined) return
    throw this.#noted(new KafkaError(error, `${this.#kind} ${this.#key}: ${what}`))
  }

  #noted(error: unknown): unknown {
    if (error instanceof KafkaError && MOVED.has(error.code)) this.#nodeId = undefined
    return error
  }
}

/** @returns the coordinator's node id; @throws {KafkaError} retriable ones included */
export async function findNode(
  cluster: Cluster,
  kind: CoordinatedKind,
  key: string,
  call: Call,
): Promise<number> {
  const request = { key, keyType: keyTypes[kind], coordinatorKeys: [key] }
  const answer = await cluster.ask(findCoordinator, request, 'any', call)
  const { errorCode, nodeId } = answer.coordinators[0] ?? answer
  const error = errorName(errorCode)
  if (error !== undefined) throw new KafkaError(error, `${kind} ${key}: its coordinator`)
  if (!cluster.knows(nodeId)) await cluster.describe([], call)
  return nodeId
}
