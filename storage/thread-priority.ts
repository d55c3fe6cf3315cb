// How a thread beside those that answer clients goes after them. Any thread but the network's and the writer's.

import { constants, setPriority } from 'node:os'
import { currentThreadId } from './fs.ts'

/** This thread works when others do not, where threads have priorities of their own. */
export function yieldToOthers(): void {
  const threadId = currentThreadId()
  try {
    if (threadId !== undefined) setPriority(threadId, constants.priority.PRIORITY_BELOW_NORMAL)
  } catch {
    // not allowed here: it is no more than politeness
  }
}
