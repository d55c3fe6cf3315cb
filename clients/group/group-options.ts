// Group options: what a member of a group, its commits and its runs may be given. The types are beside the methods.

import { callRows } from '../call.ts'
import { readerRows } from '../consumer.ts'
import type { GroupConsumerOptions, RunOptions } from '../group-consumer.ts'
import { callback, listOf, milliseconds, oneOf, required, shape, text, whole } from '../options.ts'
import type { CommitOptions } from './commits.ts'

export const groupConsumerOptions = shape<GroupConsumerOptions>({
  ...readerRows,
  group: required(text()),
  commit: oneOf('auto', 'manual'),
  commitIntervalMs: milliseconds(),
  assignors: listOf(oneOf('cooperative-sticky', 'range', 'roundrobin'), 1),
  instanceId: text(),
  sessionTimeoutMs: whole(1),
  heartbeatIntervalMs: milliseconds(1),
  rebalanceTimeoutMs: whole(1),
  maxPollIntervalMs: milliseconds(1),
  onAssignment: callback(),
})

export const commitOptions = shape<CommitOptions>({ ...callRows, metadata: text(0) })

export const runOptions = shape<RunOptions>({ concurrency: whole(1) })
