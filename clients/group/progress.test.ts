// Progress against the plainest account of the same: a set of the records given and not done.

import fc from 'fast-check'
import t from '../../protocol/testing/tap.ts'
import { Reading } from '../consumer/reading.ts'
import { topicOf } from '../topic.ts'
import { Progress } from './progress.ts'

t.test(
  'what may be committed is what a set of open offsets says, in any order of ends',
  async (t) => {
    const step = fc.tuple(
      fc.constantFrom('give', 'give', 'finish', 'finish', 'oldest', 'committed', 'all'),
      fc.nat(40),
    )
    const property = fc.property(fc.array(step, { maxLength: 4000, size: 'max' }), (steps) => {
      const reading = new Reading(topicOf('t'), 0, 0)
      const progress = new Progress(reading, -1)
      const open = new Set<number>()
      for (const [kind, number] of steps) {
        const at = [...open][number % Math.max(1, open.size)]
        if (kind === 'give') {
          open.add(reading.position)
          progress.given(reading.position++)
        } else if (kind === 'all') {
          open.clear()
          progress.finishedAll()
        } else if (kind === 'committed') {
          const offset = at ?? reading.position
          for (const each of open) if (each < offset) open.delete(each)
          progress.committedAt(offset)
        } else {
          const offset = (kind === 'oldest' ? [...open][0] : at) ?? number
          open.delete(offset)
          progress.finished(offset)
        }
        const first = Math.min(...open, reading.position)
        if (progress.committable !== first || progress.isIdle !== (open.size === 0)) return false
      }
      return true
    })
    fc.assert(property, { numRuns: 60 })
    t.pass()
  },
)
