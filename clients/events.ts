// Events for operators of a client, on channels of `node:diagnostics_channel`: `millrace:connect` and so on.
// Without subscribers an event costs one check. Important ones are logged too. docs/guide/client.md

import { channel, type Channel } from 'node:diagnostics_channel'
import type { ErrorName } from '../protocol/errors.ts'
import type { Logger } from './logger.ts'
import type { TopicPartition } from './topic.ts'

/** The messages of each channel, by its name without `millrace:`. Times in ms. */
export interface ClientEvents {
  /** A socket is ready, or could not be opened. */
  readonly connect: {
    readonly address: string
    readonly durationMs: number
    readonly error?: unknown
  }
  /** A socket was authenticated with SASL, for the first time or again, or authentication failed. */
  readonly authenticate: {
    readonly address: string
    readonly mechanism: string
    readonly durationMs: number
    readonly error?: unknown
  }
  /** A socket is closed; without an error if the client closed it. */
  readonly disconnect: { readonly address: string; readonly error?: unknown }
  /** A request was answered, or failed. An error code in the answer is no `error` here. */
  readonly request: {
    readonly address: string
    readonly api: string
    readonly version: number
    readonly durationMs: number
    readonly error?: unknown
  }
  /** A member has joined a generation of its group. */
  readonly join: {
    readonly group: string
    readonly memberId: string
    readonly generationId: number
    /** The member is the leader, and its assignor assigns the partitions. */
    readonly isLeader: boolean
    readonly protocol: string
  }
  /** A member's partitions changed. `lost`: the member lost them without a revocation, for example after its session ended. */
  readonly assignment: {
    readonly group: string
    readonly kind: 'assigned' | 'revoked' | 'lost'
    readonly partitions: readonly TopicPartition[]
  }
  readonly commit: {
    readonly group: string
    readonly offsets: readonly (TopicPartition & { readonly offset: number })[]
    readonly durationMs: number
    readonly error?: unknown
  }
  /** A call, fetch, send, join or record failed, and the client retries after `delayMs`. */
  readonly retry: {
    readonly what: 'call' | 'fetch' | 'send' | 'join' | 'record'
    readonly error: unknown
    /** Failures in a row. */
    readonly failures: number
    readonly delayMs: number
    /** Time since the first of these failures; for a batch, since it was begun; undefined for a record. */
    readonly forMs?: number | undefined
    readonly topic?: string | undefined
    readonly partition?: number | undefined
  }
  /** A broker asks the client to slow down: it has delayed this answer, or will delay the next. */
  readonly throttle: {
    readonly address: string
    readonly api: string
    readonly throttleTimeMs: number
  }
  /** Sends wait for room in a producer's buffer. One message each time that the buffer fills up. */
  readonly bufferFull: { readonly topic: string; readonly maxBufferedBytes: number }
  /** A consumer resumes at another offset. */
  readonly reset: TopicPartition & {
    readonly offset: number
    readonly newOffset: number
    readonly reason: 'out of range' | 'topic recreated'
  }
  /** A record was written to a dead letter topic, and counts as done. */
  readonly deadLetter: TopicPartition & {
    readonly offset: number
    readonly to: string
    readonly attempts: number
    readonly error: unknown
  }
}

export const events = {
  connect: event('connect'),
  authenticate: event('authenticate'),
  disconnect: event('disconnect'),
  request: event('request'),
  join: event('join'),
  assignment: event('assignment'),
  commit: event('commit'),
  retry: event('retry'),
  throttle: event('throttle'),
  bufferFull: event('bufferFull'),
  reset: event('reset'),
  deadLetter: event('deadLetter'),
} satisfies { [Name in keyof ClientEvents]: Channel<unknown, ClientEvents[Name]> }

function event<Name extends keyof ClientEvents>(name: Name): Channel<unknown, ClientEvents[Name]> {
  return channel(`millrace:${name}`) as Channel<unknown, ClientEvents[Name]>
}

/** Publishes the message, and logs it. */
export function tell<Name extends keyof ClientEvents>(
  name: Name,
  message: ClientEvents[Name],
  logger: Logger | undefined,
  level: keyof Logger,
  text: string,
): void {
  const { hasSubscribers } = events[name]
  if (hasSubscribers) events[name].publish(message)
  logger?.[level](message, text)
}

/** Errors that an operator should know of at once, above all a full disk. */
const GRAVE: ReadonlySet<string> = new Set<ErrorName>([
  'KAFKA_STORAGE_ERROR',
  'NOT_ENOUGH_REPLICAS',
  'NOT_ENOUGH_REPLICAS_AFTER_APPEND',
])

/** Errors that pass in normal operation. */
const ORDINARY: ReadonlySet<string> = new Set<ErrorName>([
  'CONCURRENT_TRANSACTIONS',
  'UNSTABLE_OFFSET_COMMIT',
])

/** Repeated failures are logged more and more rarely: the first, the second, the fourth and so on. */
export function tellRetry(message: ClientEvents['retry'], logger: Logger | undefined): void {
  if (events.retry.hasSubscribers) events.retry.publish(message)
  const { what, error, failures, forMs } = message
  if (logger === undefined || (failures & (failures - 1)) !== 0) return
  const isFirst = failures === 1 || forMs === undefined
  const since = isFirst ? '' : `, for ${Math.round(forMs)} ms by now`
  logger[levelOf(error, failures)](message, `a ${what} failed${since}: trying again`)
}

function levelOf(error: unknown, failures: number): keyof Logger {
  const { code = '' } = error as { code?: string }
  if (ORDINARY.has(code)) return 'debug'
  return failures > 1 || GRAVE.has(code) ? 'warn' : 'info'
}
