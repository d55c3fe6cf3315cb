// WaitingAnswers against a plain map.

import fc from 'fast-check'
import t from '../../protocol/testing/tap.ts'
import { WaitingAnswers } from './waiting-answers.ts'

t.test('gives back what waits, in whatever order it is asked for, once', async (t) => {
  fc.assert(
    fc.property(fc.array(fc.nat(300), { maxLength: 600 }), (choices) => {
      const waiting = new WaitingAnswers<string>()
      const model = new Map<number, string>()
      for (const choice of choices) {
        if (choice > 130) {
          const { nextId } = waiting
          t.equal(waiting.add(`answer ${nextId}`), nextId)
          model.set(nextId, `answer ${nextId}`)
        } else {
          t.equal(waiting.take(choice), model.get(choice))
          model.delete(choice)
        }
      }
      t.strictSame([...waiting.takeAll()], [...model])
      t.strictSame([...waiting.takeAll()], [])
    }),
  )
})

t.test(
  'an answer that comes late keeps its place while a thousand others come and go',
  async (t) => {
    const waiting = new WaitingAnswers<string>()
    const late = waiting.add('late')
    for (let i = 0; i < 1000; i++) t.equal(waiting.take(waiting.add(`${i}`)), `${i}`)
    t.equal(waiting.take(late), 'late')
    t.equal(waiting.take(late), undefined)
    t.equal(waiting.take(waiting.nextId), undefined)
  },
)
