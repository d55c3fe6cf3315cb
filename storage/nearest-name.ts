// Finds the known name that is nearest to a misspelt one, for the message that refuses it. Any thread.

const NAME_CHARS_MAX = 256

/** The known name with the fewest edits from `name`; undefined when none is near enough to be a likely slip. */
export function nearestName(
  name: string,
  known: Iterable<string>,
  editsMax = Math.max(2, Math.floor(name.length / 3)),
): string | undefined {
  if (name.length > NAME_CHARS_MAX) return undefined
  let nearest: string | undefined
  let editsMin = editsMax + 1
  for (const candidate of known) {
    const edits = editDistance(name, candidate)
    if (edits >= editsMin) continue
    nearest = candidate
    editsMin = edits
  }
  return nearest
}

/** Insertions, deletions and substitutions from `a` to `b`, one row of the classic table at a time. */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, column) => column)
  for (let i = 1; i <= a.length; i++) {
    const above = row
    row = [i]
    for (let j = 1; j <= b.length; j++) {
      const substituted = above[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1)
      row.push(Math.min(substituted, above[j]! + 1, row[j - 1]! + 1))
    }
  }
  return row[b.length]!
}
