// Input: cuts the input of `produce` into values, in memory that does not grow with the input. Pure.

import { lineAt, type Lines } from '../../protocol/batch/build.ts'
import { CliError } from './exit.ts'

/** Values cut from one chunk of input; views into the chunk if it has all of their bytes. */
export type Values = AsyncIterable<Buffer[]>

/** A value longer than this is an error: a file without newlines, or a wrong length. */
const VALUE_BYTES_MAX = 64 * 1024 * 1024
const NEWLINE = 0x0a
const LENGTH_BYTES = 4

/** Every line is a value, without its newline; the text after the last newline is one too, unless it is empty. */
export async function* lines(input: AsyncIterable<Buffer>): Values {
  for await (const run of lineRuns(input)) yield run.ends.map((_, index) => lineAt(run, index))
}

/** As `lines`, without an object for each line. A line that begins in an earlier chunk is a run of its own. */
export async function* lineRuns(input: AsyncIterable<Buffer>): AsyncIterable<Lines> {
  const pending = new Pending()
  for await (const chunk of input) {
    let start = 0
    const firstEnd = pending.bytes === 0 ? -1 : chunk.indexOf(NEWLINE)
    if (firstEnd !== -1) {
      yield wholeLine(pending.take(chunk.subarray(0, firstEnd)))
      start = firstEnd + 1
    }
    const ends: number[] = []
    let next = start
    for (let end = chunk.indexOf(NEWLINE, next); end !== -1; end = chunk.indexOf(NEWLINE, next)) {
      ends.push(end)
      next = end + 1
    }
    pending.keep(chunk.subarray(next))
    if (ends.length > 0) yield { bytes: chunk, start, ends }
  }
  if (pending.bytes > 0) yield wholeLine(pending.take())
}

function wholeLine(bytes: Buffer): Lines {
  return { bytes, start: 0, ends: [bytes.length] }
}

/** Each value follows its length in 4 bytes, big endian. @throws {CliError} failed, if the input ends inside one */
export async function* lengthPrefixed(input: AsyncIterable<Buffer>): Values {
  let rest: Buffer = Buffer.alloc(0)
  const pending = new Pending()
  let wanted = LENGTH_BYTES // bytes until the next value can be cut
  for await (const chunk of input) {
    pending.keep(chunk)
    if (pending.bytes < wanted) continue
    rest = pending.take()
    const values: Buffer[] = []
    let at = 0
    for (;;) {
      wanted = LENGTH_BYTES
      if (rest.length - at >= LENGTH_BYTES) wanted += lengthAt(rest, at)
      if (rest.length - at < wanted) break
      values.push(rest.subarray(at + LENGTH_BYTES, at + wanted))
      at += wanted
    }
    pending.keep(rest.subarray(at))
    if (values.length > 0) yield values
  }
  if (pending.bytes > 0)
    throw new CliError(
      'failed',
      `the input ends inside a value: ${wanted - pending.bytes} bytes are missing`,
    )
}

function lengthAt(bytes: Buffer, at: number): number {
  const length = bytes.readUInt32BE(at)
  if (length > VALUE_BYTES_MAX) throw tooLong(length)
  return length
}

/** The whole input, in values of `valueBytes` (the last one shorter). */
export async function* pieces(input: AsyncIterable<Buffer>, valueBytes: number): Values {
  const pending = new Pending()
  for await (const chunk of input) {
    const values: Buffer[] = []
    let start = 0
    for (let end = valueBytes - pending.bytes; end <= chunk.length; end = start + valueBytes) {
      values.push(pending.take(chunk.subarray(start, end)))
      start = end
    }
    pending.keep(chunk.subarray(start))
    if (values.length > 0) yield values
  }
  if (pending.bytes > 0) yield [pending.take()]
}

/** The beginning of a value whose end has not arrived. */
class Pending {
  #chunks: Buffer[] = []
  bytes = 0

  keep(chunk: Buffer): void {
    if (chunk.length === 0) return
    this.bytes += chunk.length
    if (this.bytes > VALUE_BYTES_MAX + LENGTH_BYTES) throw tooLong(this.bytes)
    this.#chunks.push(chunk)
  }

  /** The kept bytes, followed by `end`. */
  take(end: Buffer = Buffer.alloc(0)): Buffer {
    if (this.bytes === 0) return end
    const whole = Buffer.concat([...this.#chunks, end])
    this.#chunks = []
    this.bytes = 0
    return whole
  }
}

function tooLong(bytes: number): CliError {
  return new CliError(
    'failed',
    `a value of ${bytes} bytes or more: at most ${VALUE_BYTES_MAX} are read; is it binary (--raw)?`,
  )
}
