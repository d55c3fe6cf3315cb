// Prints the compiled codec of one API and version, all four functions.
// Run: npm run codec -- produce 9

import { apis } from '../protocol/apis.ts'
import { decoderSource, encoderSource } from '../protocol/compile.ts'
import { includes, type Api } from '../protocol/schema.ts'

const EXIT_USAGE = 2
const SUGGESTIONS = 3

class UsageError extends Error {}

function print(args: readonly string[]): string {
  const [name, versionText] = args
  if (name === undefined || versionText === undefined || args.length > 2) {
    throw new UsageError('usage: npm run codec -- API VERSION, for example: produce 9')
  }
  const api = apiNamed(name)
  const version = Number(versionText)
  const { from, to } = api.versions
  if (!Number.isInteger(version) || !includes(api.versions, version)) {
    throw new UsageError(`${api.name} has no version ${versionText}, it has ${from} to ${to}`)
  }
  const functions = [api.request, api.response].flatMap((message) => [
    `function decode${message.name}V${version}(r) {\n${decoderSource(message, version)}\n}`,
    `function encode${message.name}V${version}(w, m) {\n${encoderSource(message, version)}\n}`,
  ])
  return functions.map(indented).join('\n\n')
}

/** By name, however it is spelled (ListOffsets, list-offsets, list_offsets), or by key. */
function apiNamed(name: string): Api {
  const wanted = plain(name)
  const api = apis.find((each) => plain(each.name) === wanted || String(each.key) === wanted)
  if (api !== undefined) return api
  const nearest = apis
    .map((each) => ({ name: each.name, distance: editDistance(wanted, plain(each.name)) }))
    .sort((a, b) => a.distance - b.distance)
    .slice(0, SUGGESTIONS)
  throw new UsageError(
    `no API "${name}"; the nearest are ${nearest.map((each) => each.name).join(', ')}`,
  )
}

function plain(name: string): string {
  return name.replaceAll(/[-_]/g, '').toLowerCase()
}

/** Levenshtein's: letters to insert, remove or replace. */
function editDistance(from: string, to: string): number {
  let previous = Array.from({ length: to.length + 1 }, (_, column) => column)
  for (let row = 1; row <= from.length; row++) {
    const current = [row]
    for (let column = 1; column <= to.length; column++) {
      const replaced = previous[column - 1]! + (from[row - 1] === to[column - 1] ? 0 : 1)
      current.push(Math.min(replaced, previous[column]! + 1, current[column - 1]! + 1))
    }
    previous = current
  }
  return previous.at(-1)!
}

function indented(source: string): string {
  let depth = 0
  const lines = source.split('\n').map((line) => {
    if (line.startsWith('}')) depth--
    const text = '  '.repeat(depth) + line
    if (line.endsWith('{')) depth++
    return text
  })
  return lines.join('\n')
}

try {
  console.log(print(process.argv.slice(2)))
} catch (error) {
  if (!(error instanceof UsageError)) throw error
  console.error(error.message)
  process.exitCode = EXIT_USAGE
}
