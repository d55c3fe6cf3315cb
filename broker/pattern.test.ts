// Patterns of clients: their matches, and their bounded cost.

import fc from 'fast-check'
import { RE2JS } from 're2js'
import t from '../protocol/testing/tap.ts'
import { budget } from '../protocol/testing/budget.ts'
import { instructionsIn, matchesWhole } from './pattern.ts'

t.test("a pattern is RE2's, and matches the whole text", async (t) => {
  const ids = ['orders', 'orders-1', 'Orders', 'ордер']
  const cases: [pattern: string, matched: string[]][] = [
    ['', ids],
    ['orders', ['orders']],
    ['orders.*', ['orders', 'orders-1']],
    ['(?i)orders', ['orders', 'Orders']],
    ['\\p{Cyrillic}+', ['ордер']],
    ['[[:alpha:]]+', ['orders', 'Orders']],
    ['\\Qorders-1\\E', ['orders-1']],
    ['^orders$', ['orders']],
  ]
  for (const [pattern, matched] of cases) {
    t.same(await matchesWhole(pattern, ids), matched, pattern)
  }
})

t.test("what is no pattern of RE2's is refused", async (t) => {
  for (const pattern of ['(', 'a**', '(?=a)', '(a)\\1', 'a{1001}', '[z-a]']) {
    await t.rejects(matchesWhole(pattern, ['a']), { code: 'INVALID_REGULAR_EXPRESSION' }, pattern)
  }
})

t.test('patterns that backtracking would never finish match at once', async (t) => {
  const long = 'a'.repeat(10_000)
  t.same(await matchesWhole('(a+)+', [long, `${long}!`]), [long])
  t.same(await matchesWhole('(a|a)*b', [long]), [])
  t.same(await matchesWhole('(.*)(.*)(.*)(.*)x', [long]), [])
})

t.test('a pattern that would become large is refused before it does', async (t) => {
  const patterns = [
    'a{1000}'.repeat(100),
    `(${'abcdefghij'.repeat(90)}){1000}`,
    `(${'a?'.repeat(450)}){900}`,
    '((a{10}){10}){100}b{2000}',
    `${'['.repeat(1)}a](b{0,1000}c{0,1000}d{0,1000}){9}`,
    'x'.repeat(1025),
  ]
  for (const pattern of patterns) {
    await t.rejects(
      matchesWhole(pattern, []),
      { code: 'INVALID_REGULAR_EXPRESSION', message: /are taken/ },
      pattern.slice(0, 40),
    )
  }
  const costly = matchesWhole('(.*a){400}', ['a'.repeat(30_000)])
  await t.rejects(costly, { code: 'INVALID_REGULAR_EXPRESSION', message: /too large for texts/ })
})

t.test('the loop turns while many texts are matched', async (t) => {
  const texts = Array.from({ length: 20_000 }, (_, i) => `${'x'.repeat(100)}${i}`)
  let turnCount = 0
  const turn = () => {
    turnCount++
    turning = setImmediate(turn)
  }
  let turning = setImmediate(turn)
  t.equal((await matchesWhole(`${'x'.repeat(100)}.*7`, texts)).length, 2000)
  clearImmediate(turning)
  t.ok(turnCount >= 100, `${turnCount} turns`)
})

t.test('no pattern compiles into more than was foreseen of its text', async (t) => {
  const pieces = ['a', 'é', '.', '(', '(?:', ')', '|', '*', '+', '?', '{3}', '{0,7}', '{2,}']
  pieces.push('[a-z]', '[^]b]', '[]b]', '[[:alpha:]]', '\\d', '\\pL', '\\p{Greek}', '\\Q', '\\E')
  pieces.push('^', '$', '\\b', '{', '}', ',', '5', '[', ']', '\\\\', '(?i)', '-')
  let compiledCount = 0
  const isForeseen = (parts: readonly string[]) => {
    const pattern = parts.join('')
    let size: number
    try {
      size = RE2JS.compile(pattern).programSize()
    } catch {
      return true
    }
    compiledCount++
    return size <= instructionsIn(pattern) + 10
  }
  fc.assert(fc.property(fc.array(fc.constantFrom(...pieces), { maxLength: 12 }), isForeseen), {
    numRuns: budget(3_000, 50_000, 'RUNS'),
  })
  t.ok(compiledCount > 1000, `${compiledCount} patterns`)
})
