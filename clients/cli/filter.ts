// Filter: selects the records that `tail` prints: --key, --grep and --filter, all of which must match. Pure.
// --filter is CEL (Common Expression Language), which has no unbounded loops and no access to anything but the record.

import { isUtf8 } from 'node:buffer'
import type { Environment as CelEnvironment } from '@marcbachmann/cel-js'
import { CliError } from './exit.ts'
import { parsedJson } from './json-text.ts'
import type { RawRecord } from './record-json.ts'
import type { ValueCodec } from './serdes.ts'

export interface FilterOptions {
  readonly key?: string | undefined
  readonly grep?: string | undefined
  readonly filter?: string | undefined
}

export type Predicate = (record: RawRecord) => boolean

const PATTERN_CHARACTERS_MAX = 1024

/**
 * @param codec of values in --filter; undefined: JSON if the value is JSON, else text, else bytes
 * @param onFilterError called with a record on which the expression fails; the record does not match
 * @throws {CliError} usage
 */
export async function compileFilter(
  options: FilterOptions,
  codec: ValueCodec | undefined,
  onFilterError: (message: string) => void,
): Promise<Predicate> {
  const predicates: Predicate[] = []
  if (options.key !== undefined) {
    const wanted = Buffer.from(options.key)
    predicates.push(({ key }) => key !== null && wanted.equals(key))
  }
  if (options.grep !== undefined) {
    const pattern = compilePattern(options.grep)
    predicates.push(({ value }) => value !== null && pattern.test(value.toString()))
  }
  if (options.filter !== undefined)
    predicates.push(await compileCel(options.filter, decoderOf(codec), onFilterError))
  if (predicates.length <= 1) return predicates[0] ?? (() => true)
  return (record) => predicates.every((holds) => holds(record))
}

/** The user runs their own pattern on their own machine: a plain RegExp, limited in length only. */
function compilePattern(source: string): RegExp {
  if (source.length > PATTERN_CHARACTERS_MAX) {
    throw new CliError(
      'usage',
      `--grep pattern is longer than ${PATTERN_CHARACTERS_MAX} characters`,
    )
  }
  try {
    return new RegExp(source)
  } catch (error) {
    throw new CliError('usage', `--grep: ${(error as Error).message}`)
  }
}

async function compileCel(
  source: string,
  decode: (value: Buffer) => unknown,
  onError: (message: string) => void,
): Promise<Predicate> {
  const { Environment } = await import('@marcbachmann/cel-js')
  const environment: CelEnvironment = new Environment()
    .registerVariable('topic', 'string')
    .registerVariable('partition', 'int')
    .registerVariable('offset', 'int')
    .registerVariable('timestamp', 'int')
    .registerVariable('key', 'dyn')
    .registerVariable('value', 'dyn')
    .registerVariable('headers', 'map')
  const checked = environment.check(source)
  if (!checked.valid)
    throw new CliError('usage', `--filter: ${checked.error?.message ?? 'not an expression'}`)
  const evaluate = environment.parse(source)
  return (record) => {
    try {
      return evaluate(new Variables(record, decode)) === true
    } catch (error) {
      onError(firstLine((error as Error).message))
      return false
    }
  }
}

/** The record in an expression. A variable that the expression does not use costs nothing. */
class Variables {
  readonly #record: RawRecord
  readonly #decode: (value: Buffer) => unknown
  /** `value`, computed at its first use, because an expression may use it more than once. */
  #value: unknown

  constructor(record: RawRecord, decode: (value: Buffer) => unknown) {
    this.#record = record
    this.#decode = decode
  }

  get topic(): string {
    return this.#record.topic
  }

  get partition(): bigint {
    return BigInt(this.#record.partition)
  }

  get offset(): bigint {
    return BigInt(this.#record.offset)
  }

  get timestamp(): bigint {
    return BigInt(this.#record.timestamp)
  }

  get key(): unknown {
    const { key } = this.#record
    return key && textOf(key)
  }

  get value(): unknown {
    if (this.#value !== undefined) return this.#value
    const { value } = this.#record
    return (this.#value = value && this.#decode(value))
  }

  get headers(): Record<string, unknown> {
    const { headers } = this.#record
    return Object.fromEntries(headers.map(([name, value]) => [name, value && textOf(value)]))
  }
}

function decoderOf(codec: ValueCodec | undefined): (value: Buffer) => unknown {
  if (codec !== undefined) return (value) => JSON.parse(codec.toJson(value))
  return (bytes) => {
    const value = textOf(bytes)
    const parsed = typeof value === 'string' ? parsedJson(value) : undefined
    return parsed === undefined ? value : parsed
  }
}

function textOf(bytes: Buffer): string | Buffer {
  return isUtf8(bytes) ? bytes.toString() : bytes
}

function firstLine(text: string): string {
  return text.split('\n', 1)[0]!
}
