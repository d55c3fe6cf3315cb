// Group options: what a member of a group, its commits and its runs may be given, how that is checked, and what it gives.

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
   * `manual`: `commit()` commits.
   */
  readonly commit?: 'auto' | 'manual' | undefined
  /** How often `auto` commits what is done. Default 500. */
  readonly commitIntervalMs?: number | undefined
  /**
   * How the group shares its partitions out, in order of preference: names of built-in assignors, and assignors of your
   * own. All members must know one in common. Default `cooperative-sticky`, which takes away only what moves. With one
   * that is not cooperative all members stop at each change.
   */
  readonly assignors?: readonly (AssignorName | Assignor)[] | undefined
  /** A static member: it may be away for up to the session timeout, and comes back to its partitions. */
  readonly instanceId?: string | undefined
  /** A member that is not heard of for so long is out. Default 45 s. */
  readonly sessionTimeoutMs?: number | undefined
  /** Default 3 s, at most a third of the session timeout. */
  readonly heartbeatIntervalMs?: number | undefined
  /** How long the group waits for its members at a rebalance. Default 60 s. */
  readonly rebalanceTimeoutMs?: number | undefined
  /**
   * A reader that asks for nothing for so long is taken to be stuck: it leaves the group, and its next `next()` throws.
   * Default: never; a slow body keeps its partitions.
   */
  readonly maxPollIntervalMs?: number | undefined
  /**
   * What becomes of a record whose handler fails in `run`, or that a loop hands back with `nack`. Default: `run` ends at
   * the first failure, `nack` has the record given again for ever.
   */
  readonly onError?: OnError | undefined
  /** Called with all partitions of this member after each rebalance. */
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

/** A record with a signal that fires when the partition is taken away or the consumer closes. */
export type GroupRecord<R> = R & {
  readonly signal: AbortSignal
  /** How often this member has been given it, from 1: see `nack` and `onError`. */
  readonly attempt: number
}

export interface GroupBatch<R> extends ConsumerBatch<R> {
  /** Fires when any of its partitions is taken away, or the consumer closes. */
  readonly signal: AbortSignal
  /** Commits it, durably; the batches before it of the same partitions with it. @throws {KafkaError} as `GroupConsumer.commit` */
  commit(options?: CommitOptions): Promise<void>
}

export interface RunOptions {
  /** Records that are worked on side by side; records of one key stay in order. Default 1. */
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
