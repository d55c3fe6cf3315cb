// Makes the responses of two brokers comparable. Tests only.

/**
 * @param ofEach names of members that differ between any two brokers, such as messages and random ids: they are left
 *   out
 */
export function comparable(
  value: unknown,
  ofEach: ReadonlySet<string>,
  isOrdered = false,
): unknown {
  if (Buffer.isBuffer(value)) return value.toString('hex')
  if (Array.isArray(value)) {
    const items = value.map((item) => comparable(item, ofEach))
    const byText = (a: unknown, b: unknown) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1)
    return isOrdered ? items : items.sort(byText)
  }
  if (typeof value !== 'object' || value === null) return value
  const members = Object.entries(value).filter(([name]) => !ofEach.has(name))
  return Object.fromEntries(
    // of all lists only that of synonyms has an order
    members.map(([name, member]) => [name, comparable(member, ofEach, name === 'synonyms')]),
  )
}
