// Preloaded into a broker's process, in every thread of it: wherever bytes that hold FOLLOWED_BYTES are copied into memory that
// threads share, written to a file or read from one, it says on stderr which of our files have a function on the call stack.
// Tests only: docs/hot-path.test.ts

import fs from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'
import { fileURLToPath } from 'node:url'

/** One line on stderr. */
export interface Sighting {
  readonly place: 'ring' | 'write' | 'read'
  /** Sources on the call stack, by their path from the root, outermost first; one that calls itself is there once. */
  readonly files: readonly string[]
}

const followed = process.env['FOLLOWED_BYTES']!
const dist = fileURLToPath(new URL('../../', import.meta.url))
const { writeSync, writevSync, readSync } = fs
/** Holds the `set` of all typed arrays. */
const typedArray = Object.getPrototypeOf(Uint8Array.prototype) as object
/** The two ways of the inbox to copy a batch into its ring. */
const copiers = [
  [typedArray, 'set'],
  [Buffer.prototype, 'fill'],
] as const

function holdsFollowed(bytes: unknown): boolean {
  if (!ArrayBuffer.isView(bytes)) return false
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).includes(followed)
}

function report(place: Sighting['place']): void {
  const { stackTraceLimit } = Error
  Error.stackTraceLimit = 100
  const stack = new Error('seen').stack!.split('\n').toReversed()
  Error.stackTraceLimit = stackTraceLimit
  const called = stack.flatMap((line) => {
    const path = /file:\/\/[^)]*?(?=:\d+:\d+\)?$)/.exec(line)?.[0]
    const file = path === undefined ? '' : fileURLToPath(path)
    if (!file.startsWith(dist) || path === import.meta.url) return []
    return file.slice(dist.length).replaceAll('\\', '/').replace(/\.js$/, '.ts')
  })
  const files = called.filter((file, i) => file !== called[i - 1])
  writeSync(2, `${JSON.stringify({ place, files } satisfies Sighting)}\n`)
}

for (const [prototype, name] of copiers) {
  const copy = Reflect.get(prototype, name) as (...args: unknown[]) => unknown
  Reflect.set(prototype, name, function (this: Uint8Array, ...args: unknown[]) {
    if (this.buffer instanceof SharedArrayBuffer && holdsFollowed(args[0])) report('ring')
    return Reflect.apply(copy, this, args)
  })
}
fs.writeSync = ((...args: Parameters<typeof writeSync>) => {
  if (holdsFollowed(args[1])) report('write')
  return writeSync(...args)
}) as typeof writeSync
fs.writevSync = (...args) => {
  if (args[1].some(holdsFollowed)) report('write')
  return writevSync(...args)
}
fs.readSync = ((...args: Parameters<typeof readSync>) => {
  const count = readSync(...args)
  if (holdsFollowed(args[1])) report('read')
  return count
}) as typeof readSync
syncBuiltinESMExports()
