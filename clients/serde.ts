// Serdes: convert a record's key or value to bytes and back. Pure.

import { types } from 'node:util'
import { checked, rule, type Rule } from './options.ts'
import { mute, shown } from './shown.ts'

/**
 * Converts values to bytes and back. Any object with `serialize` and `deserialize` is a serde. All methods get the topic, and
 * which field of the record it is.
 *
 * `Input` differs from `Output` only if a schema transforms the values that it reads.
 */
export interface Serde<Output, Input = Output> {
  /** @param value never null */
  serialize(value: Input, topic?: string, field?: 'key' | 'value'): Uint8Array | null
  /** @param bytes a view into the fetched frame: copy bytes that you keep */
  deserialize(bytes: Buffer, topic?: string, field?: 'key' | 'value'): Output
  /**
   * Called before each `serialize`: looks up what it still needs, for instance a schema in a registry. While the promise
   * is pending, this record and later ones of the topic wait, at most for `deliveryTimeoutMs`.
   *
   * @returns undefined when nothing has to be looked up: no record waits then
   */
  prepareSerialize?(
    value: Input,
    topic: string,
    field: 'key' | 'value',
  ): Promise<unknown> | undefined
  /**
   * The same before each `deserialize`. While the promise is pending, the partition gives no records, at most for the
   * client's `timeoutMs`.
   */
  prepareDeserialize?(
    bytes: Buffer,
    topic: string,
    field: 'key' | 'value',
  ): Promise<unknown> | undefined
  /** Does the serde accept null (no key; a tombstone)? See `orNull`. */
  readonly nullable?: boolean
}

/** A validator by the Standard Schema specification, version 1 (Zod, Valibot, ArkType, TypeBox and others). */
export interface StandardSchema<Input = unknown, Output = Input> {
  readonly '~standard': {
    readonly version: 1
    readonly vendor: string
    readonly validate: (value: unknown) => SchemaResult<Output> | Promise<SchemaResult<Output>>
    readonly types?: { readonly input: Input; readonly output: Output } | undefined
  }
}

type SchemaResult<Output> =
  | { readonly value: Output; readonly issues?: undefined }
  | { readonly issues: readonly SchemaIssue[] }

interface SchemaIssue {
  readonly message: string
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined
}

/** Bytes without conversion. Read bytes are a view into the fetched frame: copy bytes that you keep. */
export const bytes: Serde<Buffer, Uint8Array> = {
  serialize: (value) => value,
  deserialize: (stored) => stored,
}

/** UTF-8 text. */
export const string: Serde<string> = {
  serialize(value) {
    if (typeof value !== 'string') throw new TypeError(`${shown(value)} is not text`)
    return Buffer.from(value)
  },
  deserialize: (stored) => stored.toString('utf8'),
}

/** JSON text. A schema validates values when they are written and when they are read; without one, nothing checks that they are `T`. */
export function json<T>(): Serde<T>
export function json<Input, Output>(schema: StandardSchema<Input, Output>): Serde<Output, Input>
export function json(schema?: StandardSchema): Serde<unknown> {
  return validated('json', schema, {
    serialize: (value) => Buffer.from(jsonText(value)),
    deserialize: (stored) => JSON.parse(stored.toString('utf8')),
  })
}

/** The same serde, which also accepts null: a record without a key, or a tombstone. */
export function orNull<Output, Input>(
  serde: Serde<Output, Input>,
): Serde<Output | null, Input | null> {
  checked('orNull', serdeRule, serde, 'serde')
  const nullable: Serde<Output | null, Input | null> = {
    serialize: (value, ...of) => serde.serialize(value as Input, ...of), // callers handle null themselves
    deserialize: (stored, ...of) => serde.deserialize(stored, ...of),
    nullable: true,
  }
  if (serde.prepareSerialize !== undefined)
    nullable.prepareSerialize = (value, ...of) => serde.prepareSerialize!(value as Input, ...of)
  if (serde.prepareDeserialize !== undefined)
    nullable.prepareDeserialize = (stored, ...of) => serde.prepareDeserialize!(stored, ...of)
  return nullable
}

function jsonText(value: unknown): string {
  const text = JSON.stringify(value)
  if (text === undefined) throw new TypeError(`${typeof value} has no JSON form`)
  return text
}

export function isSerde(value: any): value is Serde<any, any> {
  return (
    typeof value?.serialize === 'function' &&
    typeof value.deserialize === 'function' &&
    isFunctionOrMissing(value.prepareSerialize) &&
    isFunctionOrMissing(value.prepareDeserialize)
  )
}

function isFunctionOrMissing(value: unknown): boolean {
  return value === undefined || typeof value === 'function'
}

export function isSchema(value: any): value is StandardSchema<any, any> {
  return typeof value?.['~standard']?.validate === 'function'
}

const serdeRule: Rule<Serde<any, any>> = rule('a serde (serialize and deserialize)', isSerde)
const schemaRule: Rule<StandardSchema> = rule('a Standard Schema', isSchema)

/** @param call its name, for messages; @returns the serde, whose values the schema validates */
export function validated(
  call: string,
  given: StandardSchema | undefined,
  serde: Serde<unknown>,
): Serde<unknown> {
  if (given === undefined) return serde
  const schema = checked(call, schemaRule, given, 'schema')
  return {
    serialize(value) {
      validate(schema, value)
      return serde.serialize(value)
    },
    deserialize: (stored) => validate(schema, serde.deserialize(stored)),
  }
}

/** @returns the schema's output for `value`; the stored bytes are of the input, because reading validates again */
function validate(schema: StandardSchema, value: unknown): unknown {
  const result = schema['~standard'].validate(value)
  mute(result)
  if (types.isPromise(result)) throw new TypeError('an asynchronous schema cannot validate records')
  if (result.issues === undefined) return result.value
  throw new TypeError(result.issues.map(issueText).join('; '))
}

function issueText({ message, path = [] }: SchemaIssue): string {
  const names = path.map((step) => String(typeof step === 'object' ? step.key : step))
  return names.length === 0 ? message : `${names.join('.')}: ${message}`
}
