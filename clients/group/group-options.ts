// Group options: the options of a member of a group, of its commits and of `run`, their rules, and the records that a
// member gives.

import { callRows } from '../call.ts'
import { readerRows, type ConsumerBatch, type ConsumerOptions } from '../consumer/consumer.ts'
import {
  callback,
  listOf,
  milliseconds,
  oneOf,
  required,
  rule,
  shape,
  text,
  whole,
  type Rule,
} from '../options.ts'
import type { Position } from '../consumer/record-stream.ts'
import { topicLike, type TopicSelector } from '../topic.ts'
import { assignorRule, CheckedAssignor, type Assignor } from './assignor.ts'
import { assignors as builtIn, type AssignorName } from './assignors.ts'
import type { CommitOptions } from './commits.ts'
import type { OnError } from './failures.ts'
import type { ClassicMembershipOptions } from './classic-membership.ts'

export interface GroupConsumerOptions<
  T extends readonly TopicSelector[] = readonly TopicSelector[],
> extends Omit<ConsumerOptions<T>, 'partitions'> {
  /** Consumers with the same group id share the partitions of their topics. */
  readonly group: string
  /**
   * `auto` (default): a record is committed some time after the loop body has finished with it.
   * `manual`: only `commit()` commits.
   */
  readonly commit?: 'auto' | 'manual' | undefined
  /** How often `auto` commits what is done. Default 500. */
  readonly commitIntervalMs?: number | undefined
  /**
   * How the group assigns its partitions, in order of preference: names of built-in assignors, or assignors of your
   * own. All members must have one in common. Default `cooperative-sticky`, which stops only partitions that move.
   * With an assignor that is not cooperative all members stop at each change.
   */
  readonly assignors?: readonly (AssignorName | Assignor)[] | undefined
  /** Makes the consumer a static member: it may be away for up to the session timeout, and gets its partitions back. */
  readonly instanceId?: string | undefined
  /** After this time without a heartbeat the group drops the member. Default 45 s. */
  readonly sessionTimeoutMs?: number | undefined
  /** Default 3 s, at most a third of the session timeout. */
  readonly heartbeatIntervalMs?: number | undefined
  /** How long the group waits for its members at a rebalance. Default 60 s. */
  readonly rebalanceTimeoutMs?: number | undefined
  /**
   * If the reader asks for no record for this long, it counts as stuck: the member leaves the group, and the next
   * `next()` throws. Default: never; a slow body keeps its partitions.
   */
  readonly maxPollIntervalMs?: number | undefined
  /**
   * How to handle a record whose handler fails in `run`, or that a loop returns with `nack`. Default: `run` ends at
   * the first failure, `nack` repeats the record for ever.
   */
  readonly onError?: OnError | undefined
  /** Called after each rebalance with all partitions of this member. */
  readonly onAssignment?: ((assigned: readonly Position[]) => void) | undefined
}

const onErrorRule = shape<OnError>({
  retry: rule(
    'a whole number, or Infinity',
    (retry) => retry === Infinity || whole().allows(retry),
  ),
  backoffMs: milliseconds(),
  backoffMaxMs: milliseconds(),
  deadLetter: topicLike,
})

const assignorName = oneOf('cooperative-sticky', 'range', 'roundrobin')

const assignorOption: Rule<AssignorName | Assignor> = {
  expected: `${assignorName.expected}, or ${assignorRule.expected}`,
  take: (value, call, name) =>
    typeof value === 'object' && value !== null
      ? assignorRule.take(value, call, name)
      : assignorName.take(value, call, name),
}

export const groupConsumerOptions = shape<GroupConsumerOptions>({
  ...readerRows,
  group: required(text()),
  commit: oneOf('auto', 'manual'),
  commitIntervalMs: milliseconds(),
  assignors: listOf(assignorOption, 1),
  instanceId: text(),
  sessionTimeoutMs: whole(1),
  heartbeatIntervalMs: milliseconds(1),
  rebalanceTimeoutMs: whole(1),
  maxPollIntervalMs: milliseconds(1),
  onError: onErrorRule,
  onAssignment: callback(),
})

/** A record with a signal that fires when the member loses the partition or the consumer closes. */
export type GroupRecord<R> = R & {
  readonly signal: AbortSignal
  /** How often this member has got the record, from 1: see `nack` and `onError`. */
  readonly attempt: number
}

export interface GroupBatch<R> extends ConsumerBatch<R> {
  /** Fires when the member loses one of the batch's partitions, or the consumer closes. */
  readonly signal: AbortSignal
  /**
   * Commits the batch, and earlier ones of the same partitions, durably. @throws {KafkaError} as
   * `GroupConsumer.commit`
   */
  commit(options?: CommitOptions): Promise<void>
}

export interface RunOptions {
  /** How many records are handled side by side; records with the same key stay in order. Default 1. */
  readonly concurrency?: number | undefined
}

export const commitOptions = shape<CommitOptions>({ ...callRows, metadata: text(0) })

export const runOptions = shape<RunOptions>({ concurrency: whole(1) })

export function classicMembershipOptions(
  options: GroupConsumerOptions,
  topics: () => readonly string[],
): ClassicMembershipOptions {
  const { instanceId, sessionTimeoutMs = 45_000, rebalanceTimeoutMs = 60_000 } = options
  const { assignors = ['cooperative-sticky'], heartbeatIntervalMs = 3000 } = options
  return {
    topics,
    assignors: assignors.map(checkedAssignor),
    groupInstanceId: instanceId ?? null,
    sessionTimeoutMs,
    heartbeatIntervalMs: Math.min(heartbeatIntervalMs, sessionTimeoutMs / 3),
    rebalanceTimeoutMs,
  }
}

function checkedAssignor(given: AssignorName | Assignor): CheckedAssignor {
  const assignor = typeof given === 'string' ? builtIn.find(({ name }) => name === given)! : given
  return new CheckedAssignor(assignor)
}
