// Imports: which file leads to which, by any way there is: imports, those of types alone, `import()`, `require()` and the
// scripts of threads and processes. For the tests and pictures that look at the code itself.

import { posix } from 'node:path'
import type { Source } from './sources.ts'

/** `lazy`: loaded when it is needed. `script`: a file that a thread or process begins with. */
export type ImportKind = 'value' | 'type' | 'lazy' | 'script'

export interface Import {
  readonly from: string
  /** A path from the root, or the name of a package. */
  readonly to: string
  readonly kind: ImportKind
}

const IMPORTED = /^import\s+(?:([^'"();]*?)\s+from\s+)?'([^']+)'/gm
const EXPORTED = /^export\s+((?:type\s+)?(?:\*(?:\s+as\s+\w+)?|\{[^}]*\}))\s+from\s+'([^']+)'/gm
const LAZY = /(typeof\s+)?\bimport\(\s*'([^']+)'\s*\)/g
const REQUIRED = /\b(require)\(\s*'([^']+)'\s*\)/g
const SCRIPT = /\bnew (URL)\(\s*'([^':]+\.js)',\s*import\.meta\.url\s*\)/g

export function importsOf({ path, text }: Source): Import[] {
  const found = (pattern: RegExp, kindOf: (before: string) => ImportKind) =>
    Array.from(text.matchAll(pattern), ([, before = '', to = '']) => ({ to, kind: kindOf(before) }))
  const byNames = (names: string) => (isOfTypes(names) ? 'type' : 'value')
  const all = [
    ...found(IMPORTED, byNames),
    ...found(EXPORTED, byNames),
    ...found(LAZY, (before) => (before === '' ? 'lazy' : 'type')),
    ...found(REQUIRED, () => 'value'),
    ...found(SCRIPT, () => 'script'),
  ]
  return all.map(({ to, kind }) => ({ from: path, to: resolved(path, to, kind), kind }))
}

function resolved(from: string, to: string, kind: ImportKind): string {
  if (kind !== 'script' && !to.startsWith('.')) return to
  return posix.join(posix.dirname(from), kind === 'script' ? to.replace(/\.js$/, '.ts') : to)
}

/** What stands between `import` and `from` names types alone. */
function isOfTypes(names: string): boolean {
  if (/^\s*type\b(?!\s*,)/.test(names)) return true
  const listed = /^\s*\{([^}]*)\}\s*$/.exec(names)?.[1]
  if (listed === undefined) return false
  const each = listed.split(',').filter((name) => name.trim() !== '')
  return each.length > 0 && each.every((name) => /^\s*type\s/.test(name))
}

/**
 * Groups of nodes of which each leads to each other.
 *
 * @param edges node -> the nodes that it leads to
 */
export function circles(edges: ReadonlyMap<string, ReadonlySet<string>>): string[][] {
  const reachable = new Map([...edges.keys()].map((node) => [node, reachableFrom(node, edges)]))
  const found: string[][] = []
  const seen = new Set<string>()
  for (const [node, reached] of reachable) {
    if (seen.has(node) || !reached.has(node)) continue
    const circle = [...reached].filter((other) => reachable.get(other)?.has(node))
    for (const each of circle) seen.add(each)
    found.push(circle.sort())
  }
  return found
}

function reachableFrom(
  start: string,
  edges: ReadonlyMap<string, ReadonlySet<string>>,
): ReadonlySet<string> {
  const reached = new Set<string>()
  const open = [start]
  for (let node = open.pop(); node !== undefined; node = open.pop()) {
    for (const next of edges.get(node) ?? []) {
      if (reached.has(next)) continue
      reached.add(next)
      open.push(next)
    }
  }
  return reached
}

/** What leads to what, when files are gathered into nodes. @param nodeOf undefined: not of interest */
export function edgesBetween(
  imports: readonly Import[],
  nodeOf: (path: string) => string | undefined,
): Map<string, Set<string>> {
  const edges = new Map<string, Set<string>>()
  for (const { from, to } of imports) {
    const [here, there] = [nodeOf(from), nodeOf(to)]
    if (here === undefined || there === undefined || here === there) continue
    edges.set(here, (edges.get(here) ?? new Set()).add(there))
  }
  return edges
}
