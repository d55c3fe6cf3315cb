// tap, with time enough for a machine that does much else, also when a test file is run by itself: tap gives it 30 s.

import t from 'tap'

t.setTimeout(120_000)

export { t as default }
export type { Test } from 'tap'
