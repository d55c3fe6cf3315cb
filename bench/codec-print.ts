// Prints the compiled codec of one API and version, all four functions.
// Run: npm run codec -- produce 9

import { apis } from '../protocol/apis.ts'
import { decoderSource, encoderSource } from '../protocol/compile.ts'
import { includes, type Api } from '../protocol/schema.ts'
import { nearestName } from '../storage/nearest-name.ts'

const EXIT_USAGE = 2

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
  const nearest = nearestName(
    wanted,
    apis.map((each) => plain(each.name)),
  )
  const names = apis
    .map((each) => each.name)
    .filter((each) => nearest === undefined || plain(each) === nearest)
  throw new UsageError(`no API "${name}"; there is ${names.join(', ')}`)
}

function plain(name: string): string {
  return name.replaceAll(/[-_]/g, '').toLowerCase()
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
