// The vocabulary of the protocol tables: one declarative table per API, for all versions; types are inferred.
// Pure data; compile.ts turns a table into code. The tables are in api/NN_name.ts. How to write one, with an example:
// docs/hacking.md, "Writing a table"

import { UUID_ZERO, type Uuid } from './ids.ts'

/** Inclusive range of API versions. */
export interface VersionRange {
  readonly from: number
  readonly to: number
}

/** '3-13', '5+' (5 and later), '-12' (0 to 12), '4', or 'none' (an empty range). */
export type VersionText = string

export const NEVER: VersionRange = { from: Infinity, to: -Infinity }
const ALWAYS: VersionRange = { from: 0, to: Infinity }

export function versionRange(text: VersionText): VersionRange {
  if (text === 'none') return NEVER
  const match = /^(\d*)(?:(\+)|(-)(\d+))?$/.exec(text)
  if (match === null || text === '') throw new TypeError(`version range "${text}"`)
  const from = Number(match[1])
  if (match[2] !== undefined) return { from, to: Infinity }
  return { from, to: match[3] === undefined ? from : Number(match[4]) }
}

export function includes(range: VersionRange, version: number): boolean {
  return version >= range.from && version <= range.to
}

/** Kinds that a single call of a `Reader` or `Writer` method encodes. */
export type ScalarKind =
  | 'bool'
  | 'int8'
  | 'int16'
  | 'uint16'
  | 'int32'
  | 'int64'
  | 'float64'
  | 'uuid'
  | 'string'
  | 'bytes'

export type FieldType =
  | { readonly kind: ScalarKind }
  | { readonly kind: 'array'; readonly element: AnyField }
  | { readonly kind: 'struct'; readonly fields: Shape }

export type AnyField = Field<any, any, boolean>

export type Shape = { readonly [name: string]: AnyField }

interface FieldOptions {
  readonly versions: VersionRange
  readonly nullable: VersionRange
  readonly tag: number | undefined
  readonly tagged: VersionRange
  readonly default: unknown
  readonly optional: boolean
}

/**
 * One field of a table.
 *
 * `Decoded` is the type for a reader: every field exists in every version, with its default if the version lacks it.
 * `Encoded` is the type for a writer: it may leave out a field with an explicit `default` (or a tag).
 */
export class Field<Decoded, Encoded = Decoded, Optional extends boolean = false> {
  declare readonly decoded: Decoded
  declare readonly encoded: Encoded
  declare readonly optional: Optional
  readonly type: FieldType
  readonly options: FieldOptions

  constructor(type: FieldType, options: FieldOptions) {
    this.type = type
    this.options = options
  }

  /** The versions that have the field; in others it reads as its default and is not written. */
  in(versions: VersionText): Field<Decoded, Encoded, Optional> {
    return this.#with({ versions: versionRange(versions) })
  }

  /** In these versions (by default in all) the value may be null. */
  orNull(versions: VersionText = '0+'): Field<Decoded | null, Encoded | null, Optional> {
    return this.#with({ nullable: versionRange(versions) })
  }

  /** The value that the field has where it is not on the wire; a writer may leave the field out. */
  default(value: NoInfer<Decoded>): Field<Decoded, Encoded, true> {
    return this.#with({ default: value, optional: true }) as unknown as Field<
      Decoded,
      Encoded,
      true
    >
  }

  /** Makes it a tagged field in these versions, which is left out if it has its default. */
  tag(tag: number, versions: VersionText = '0+'): Field<Decoded, Encoded, true> {
    const range = versionRange(versions)
    const options = { tag, versions: range, tagged: range, optional: true }
    return this.#with(options) as unknown as Field<Decoded, Encoded, true>
  }

  #with(options: Partial<FieldOptions>): Field<Decoded, Encoded, Optional> {
    return new Field(this.type, { ...this.options, ...options })
  }
}

function field<T>(kind: ScalarKind, zero: T): Field<T> {
  return new Field<T>({ kind }, optionsWith(zero))
}

function optionsWith(zero: unknown): FieldOptions {
  return {
    versions: ALWAYS,
    nullable: NEVER,
    tag: undefined,
    tagged: NEVER,
    default: zero,
    optional: false,
  }
}

export const bool = field('bool', false)
export const int8 = field('int8', 0)
export const int16 = field('int16', 0)
export const uint16 = field('uint16', 0)
export const int32 = field('int32', 0)
export const int64 = field('int64', 0)
export const float64 = field('float64', 0)
export const uuid = field<Uuid>('uuid', UUID_ZERO)
export const string = field('string', '')
/** Decodes to a view into the frame: borrowed. */
export const bytes = field<Uint8Array>('bytes', new Uint8Array(0))
/** Record batches, opaque here; see batch/. Decodes to a view into the frame: borrowed. */
export const records = bytes

type DecodedShape<S extends Shape> = { readonly [K in keyof S]: S[K]['decoded'] }
type Required<S extends Shape> = {
  [K in keyof S]: S[K]['optional'] extends true ? never : K
}[keyof S]
type EncodedShape<S extends Shape> = { readonly [K in Required<S>]: S[K]['encoded'] } & {
  readonly [K in Exclude<keyof S, Required<S>>]?: S[K]['encoded'] | undefined
}

/** A version that lacks the struct reads it with its members' defaults. */
export function struct<S extends Shape>(fields: S): Field<DecodedShape<S>, EncodedShape<S>> {
  return new Field({ kind: 'struct', fields }, optionsWith(undefined))
}

export function array<S extends Shape>(
  element: S,
): Field<readonly DecodedShape<S>[], readonly EncodedShape<S>[]>
export function array<D, E>(element: Field<D, E>): Field<readonly D[], readonly E[]>
export function array(element: Shape | Field<unknown>): Field<any> {
  const elementField = element instanceof Field ? element : struct(element)
  return new Field({ kind: 'array', element: elementField }, optionsWith([]))
}

/** One message, request or response, for the compiler. */
export interface Message<S extends Shape> {
  readonly name: string
  readonly fields: S
  readonly versions: VersionRange
  readonly flexible: VersionRange
}

/** A message that is neither request nor response, but part of a field of another message. */
export function message<S extends Shape>(table: {
  readonly name: string
  readonly versions: VersionText
  readonly flexible: VersionText
  readonly fields: S
}): Message<S> {
  const { name, fields } = table
  return {
    name,
    fields,
    versions: versionRange(table.versions),
    flexible: versionRange(table.flexible),
  }
}

/** The table of one API: what `api` makes of its argument. */
export interface Api<Req extends Shape = Shape, Res extends Shape = Shape> {
  readonly key: number
  readonly name: string
  /** Versions that these tables can encode and decode. */
  readonly versions: VersionRange
  /** Versions that ApiVersions reports: Produce lists 0 to 2 and refuses them, because clients look for them. */
  readonly advertised: VersionRange
  readonly request: Message<Req>
  readonly response: Message<Res>
}

/**
 * Declares an API. Every version of `versions` has a codec; versions of `flexible` have compact lengths and tagged fields
 * (KIP-482).
 *
 * @throws {TypeError} for a malformed version range
 */
export function api<Req extends Shape, Res extends Shape>(table: {
  readonly key: number
  readonly name: string
  readonly versions: VersionText
  readonly advertised?: VersionText
  readonly flexible: VersionText
  readonly request: Req
  readonly response: Res
}): Api<Req, Res> {
  const versions = versionRange(table.versions)
  const shared = { versions, flexible: versionRange(table.flexible) }
  return {
    key: table.key,
    name: table.name,
    versions,
    advertised: versionRange(table.advertised ?? table.versions),
    request: { name: `${table.name}Request`, fields: table.request, ...shared },
    response: { name: `${table.name}Response`, fields: table.response, ...shared },
  }
}

export type Decoded<M extends Message<any>> = M extends Message<infer S> ? DecodedShape<S> : never
export type Encoded<M extends Message<any>> = M extends Message<infer S> ? EncodedShape<S> : never

/** A request for the broker, which reads it. */
export type RequestOf<A extends Api<any, any>> = Decoded<A['request']>
/** A response for the client, which reads it. */
export type ResponseOf<A extends Api<any, any>> = Decoded<A['response']>
/** A request from the client, which writes it. */
export type RequestInput<A extends Api<any, any>> = Encoded<A['request']>
/** A response from the broker, which writes it. */
export type ResponseInput<A extends Api<any, any>> = Encoded<A['response']>
