// The exports of an entry point, from the declarations that tsc writes. Their layout is regular, so reading lines is enough,
// and TypeScript 7 has no parser to offer.

import { readFileSync } from 'node:fs'

export interface Export {
  readonly name: string
  /** Docstrings and declarations, with all overloads; then those of the types in the same file that they name. */
  readonly text: string
}

const EXPORT_LINE = /^export (?:\*|(?:type )?\{([^}]*)\}) from '(.*)\.ts';$/gm
/** A line of a docstring. */
const COMMENT = /^ *(?:\/\*\*|\*).*$/
const DECLARATION =
  /^export (?:declare )?(?:abstract )?(?:class|interface|type|const|function) (\w+)/gm

/**
 * @param entry a `.d.ts` with declarations, or with exports from other files
 * @throws {Error} for a name without a declaration
 */
export function exportsOf(entry: URL): Export[] {
  const source = readFileSync(entry, 'utf8')
  const lines = [...source.matchAll(EXPORT_LINE)]
  if (lines.length === 0) return namesIn(source).map((name) => exportOf(name, source))
  return lines.flatMap(([, list, path]) => {
    const declared = readFileSync(new URL(`${path}.d.ts`, entry), 'utf8')
    const names = list === undefined ? namesIn(declared) : namesOf(list)
    return names.map((name) => exportOf(name, declared))
  })
}

function namesIn(source: string): string[] {
  return [...new Set([...source.matchAll(DECLARATION)].map(([, name]) => name!))]
}

/** @param list the text between the braces */
function namesOf(list: string): string[] {
  return list.split(',').flatMap((name) => name.replace('type ', '').trim() || [])
}

function exportOf(name: string, source: string): Export {
  const text = declarationsOf(name, source)
  if (text === '') throw new Error(`no declaration of ${name}`)
  const own = new Set(text.match(/\b[A-Z]\w+/g))
  const unexported = [...source.matchAll(/^(?:interface|type) (\w+)/gm)].map(([, each]) => each!)
  const named = unexported.filter((each) => own.has(each))
  return { name, text: [text, ...named.map((each) => declarationsOf(each, source))].join('\n\n') }
}

function declarationsOf(name: string, source: string): string {
  const lines = source.split('\n')
  const begins = new RegExp(`^(?:export )?(?:declare )?(?:abstract )?[a-z]+ ${name}\\b`)
  return lines
    .flatMap((line, at) =>
      begins.test(line)
        ? [readable(lines.slice(docStart(lines, at), declarationEnd(lines, at)))]
        : [],
    )
    .join('\n')
}

/** The first line of the docstring above the declaration, if it has one. */
function docStart(lines: readonly string[], at: number): number {
  if (!lines[at - 1]?.endsWith('*/')) return at
  return lines.findLastIndex((line, i) => i < at && line.startsWith('/**'))
}

/** The line after the end of the declaration. */
function declarationEnd(lines: readonly string[], at: number): number {
  let depth = 0
  for (let i = at; i < lines.length; i++) {
    const code = lines[i]!.replace(COMMENT, '')
    depth += count(code, /[{([]/g) - count(code, /[})\]]/g)
    if (depth === 0 && /[;}]$/.test(code)) return i + 1
  }
  throw new Error(`no end of: ${lines[at]}`)
}

function count(text: string, pattern: RegExp): number {
  return text.match(pattern)?.length ?? 0
}

/** The declaration as written by hand: every property is read-only, and the question mark implies `| undefined`. */
function readable(lines: readonly string[]): string {
  return lines
    .filter((line) => !/^ +(?:#private|private constructor\(\));$/.test(line))
    .map((line) => (COMMENT.test(line) ? line : readableCode(line)))
    .map((line) => line.replace(/^(?: {4})+/, (indent) => ' '.repeat(indent.length / 2)))
    .join('\n')
}

function readableCode(line: string): string {
  return line
    .replace(/^export (?:declare )?/, '')
    .replace(/^( *)readonly /, '$1')
    .replace(/(\{ ?)readonly /g, '$1')
    .replace(/^( +\w+\?: )\((.* => .*)\) \| undefined;$/, '$1$2;')
    .replace(/^( +(?:\w+\?: .*|\})) \| undefined;$/, '$1;')
    .replace(/;$/, '')
}
