// Journal: compares the records that a broker returns with those it acknowledged. Pure; the demo's verdict.

/** The place of an acknowledged value. */
export interface Entry {
  readonly partition: number
  readonly offset: number
  readonly value: string
}

export interface Verdict {
  readonly acknowledgedCount: number
  readonly readCount: number
  /** Acknowledged, but missing. */
  readonly missing: readonly Entry[]
  /** Another value is at the offset. */
  readonly changed: readonly Entry[]
  /** Read more than once, at different offsets. */
  readonly duplicateCount: number
  readonly isGood: boolean
}

/**
 * Every acknowledged value must be read at its offset, and no value twice.
 *
 * @param acknowledged values are unique
 * @param read all records, in any order
 */
export function judge(acknowledged: readonly Entry[], read: readonly Entry[]): Verdict {
  const valueAt = new Map(read.map((entry) => [place(entry), entry.value]))
  const missing = acknowledged.filter((entry) => !valueAt.has(place(entry)))
  const changed = acknowledged.filter((entry) => {
    const value = valueAt.get(place(entry))
    return value !== undefined && value !== entry.value
  })
  const duplicateCount = read.length - new Set(read.map(({ value }) => value)).size
  return {
    acknowledgedCount: acknowledged.length,
    readCount: read.length,
    missing,
    changed,
    duplicateCount,
    isGood: missing.length === 0 && changed.length === 0 && duplicateCount === 0,
  }
}

function place({ partition, offset }: Entry): string {
  return `${partition}:${offset}`
}

/** Keys whose values were read in another order than they were sent. */
export function keysOutOfOrder(
  sent: readonly { key: string; value: string }[],
  read: readonly { key: string; value: string }[],
): string[] {
  const [wanted, got] = [valuesByKey(sent), valuesByKey(read)]
  return [...wanted]
    .filter(([key, values]) => got.get(key)?.join('\n') !== values.join('\n'))
    .map(([key]) => key)
}

function valuesByKey(records: readonly { key: string; value: string }[]): Map<string, string[]> {
  const byKey = new Map<string, string[]>()
  for (const { key, value } of records) {
    const values = byKey.get(key)
    if (values === undefined) byKey.set(key, [value])
    else values.push(value)
  }
  return byKey
}
