// What a request names more than once. Linear, since a hostile request names a million things.

export function duplicatesIn<Value>(values: Iterable<Value>): ReadonlySet<Value> {
  const seen = new Set<Value>()
  const twice = new Set<Value>()
  for (const value of values) {
    if (seen.has(value)) twice.add(value)
    seen.add(value)
  }
  return twice
}
