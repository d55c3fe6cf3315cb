// Compiles a message table into a decoder and an encoder, per version and direction, on first use.
// The source is made only of our own tables, whose names are checked, never of bytes from a socket.
// `npm run codec -- fetch 12` prints it.

import { KafkaError } from './errors.ts'
import {
  includes,
  NEVER,
  type AnyField,
  type Decoded,
  type Encoded,
  type Message,
  type Shape,
} from './schema.ts'
import type { Reader, Writer } from './wire.ts'

type Decoder = (reader: Reader) => unknown
type Encoder = (writer: Writer, message: unknown) => void
/** Should other requests have their turn? The code asks once per array element. */
type IsDue = () => boolean
type SlicedDecoder = (reader: Reader, isDue: IsDue) => Generator<void, unknown>
type SlicedEncoder = (writer: Writer, message: unknown, isDue: IsDue) => Generator<void, void>

interface Codec {
  decode?: Decoder
  encode?: Encoder
  decodeInSlices?: SlicedDecoder
  encodeInSlices?: SlicedEncoder
}

const codecs = new WeakMap<Message<any>, Codec[]>()

/** @throws {KafkaError} INVALID_REQUEST if the bytes are no such message; byte fields are borrowed */
export function decode<M extends Message<any>>(
  message: M,
  version: number,
  reader: Reader,
): Decoded<M> {
  const codec = codecOf(message, version)
  codec.decode ??= compileDecoder(message, version)
  return codec.decode(reader) as Decoded<M>
}

export function encode<M extends Message<any>>(
  message: M,
  version: number,
  writer: Writer,
  value: Encoded<M>,
): void {
  const codec = codecOf(message, version)
  codec.encode ??= compileEncoder(message, version)
  codec.encode(writer, value)
}

/** As `decode`, for a large frame: a generator that yields after an array element if `isDue` says so. */
export function decodeInSlices<M extends Message<any>>(
  message: M,
  version: number,
  reader: Reader,
  isDue: IsDue,
): Generator<void, Decoded<M>> {
  const codec = codecOf(message, version)
  codec.decodeInSlices ??= compileSlicedDecoder(message, version)
  return codec.decodeInSlices(reader, isDue) as Generator<void, Decoded<M>>
}

/** As `encode`, with the pauses of `decodeInSlices`. The caller must not change the message meanwhile. */
export function encodeInSlices<M extends Message<any>>(
  message: M,
  version: number,
  writer: Writer,
  value: Encoded<M>,
  isDue: IsDue,
): Generator<void, void> {
  const codec = codecOf(message, version)
  codec.encodeInSlices ??= compileSlicedEncoder(message, version)
  return codec.encodeInSlices(writer, value, isDue)
}

function codecOf(message: Message<any>, version: number): Codec {
  const byVersion = codecs.get(message) ?? []
  const codec = byVersion[version]
  if (codec !== undefined) return codec
  if (!Number.isInteger(version) || !includes(message.versions, version)) {
    const { from, to } = message.versions
    throw new KafkaError(
      'UNSUPPORTED_VERSION',
      `${message.name} version ${version}, ${from} to ${to} are known`,
    )
  }
  codecs.set(message, byVersion)
  return (byVersion[version] = {})
}

/**
 * JavaScript source of the decoder: the body of a function of `r`, a `Reader`.
 *
 * @param isSliced the body of a generator, which takes `isDue` too
 */
export function decoderSource(message: Message<any>, version: number, isSliced = false): string {
  const source = new DecoderSource(version, includes(message.flexible, version), isSliced)
  const value = source.struct(message.fields)
  return [...source.lines, `return ${value}`].join('\n')
}

/**
 * JavaScript source of the encoder: the body of a function of `w`, a `Writer`, and `m`, the message.
 *
 * @param isSliced as of `decoderSource`
 */
export function encoderSource(message: Message<any>, version: number, isSliced = false): string {
  const source = new EncoderSource(version, includes(message.flexible, version), isSliced)
  source.struct(message.fields, 'm')
  return source.lines.join('\n')
}

function compileDecoder(message: Message<any>, version: number): Decoder {
  const name = `decode${message.name}V${version}`
  return compile(message, version, `function ${name}(r) {\n${decoderSource(message, version)}\n}`)
}

function compileSlicedDecoder(message: Message<any>, version: number): SlicedDecoder {
  const body = decoderSource(message, version, true)
  const name = `decode${message.name}V${version}InSlices`
  return compile(message, version, `function* ${name}(r, isDue) {\n${body}\n}`)
}

function compileEncoder(message: Message<any>, version: number): Encoder {
  const name = `encode${message.name}V${version}`
  return compile(
    message,
    version,
    `function ${name}(w, m) {\n${encoderSource(message, version)}\n}`,
  )
}

function compileSlicedEncoder(message: Message<any>, version: number): SlicedEncoder {
  const body = encoderSource(message, version, true)
  const name = `encode${message.name}V${version}InSlices`
  return compile(message, version, `function* ${name}(w, m, isDue) {\n${body}\n}`)
}

function compile<Compiled>(message: Message<any>, version: number, source: string): Compiled {
  const refuseNull = (field: string): never => {
    throw new KafkaError(
      'UNSUPPORTED_VERSION',
      `${message.name} version ${version} has no null ${field}`,
    )
  }
  return new Function('EMPTY', 'refuseNull', `return ${source}`)(EMPTY, refuseNull) as Compiled
}

const EMPTY = Buffer.alloc(0)

const SCALAR_BYTES = {
  bool: 1,
  int8: 1,
  int16: 2,
  uint16: 2,
  int32: 4,
  int64: 8,
  float64: 8,
  uuid: 16,
} as const

/** The state that both directions share: one version of one message, and the lines written so far. */
class Source {
  readonly lines: string[] = []
  protected readonly version: number
  protected readonly flexible: boolean
  readonly #isSliced: boolean
  /** No pauses inside: these lines become a separate function. */
  protected isInTag = false
  #locals = 0

  constructor(version: number, flexible: boolean, isSliced: boolean) {
    this.version = version
    this.flexible = flexible
    this.#isSliced = isSliced
  }

  /** The pause after an array's element. */
  protected pause(): void {
    if (this.#isSliced && !this.isInTag) this.lines.push('if (isDue()) yield')
  }

  protected local(name: string): string {
    return `${name}_${this.#locals++}`
  }

  protected carries(field: AnyField): boolean {
    return includes(field.options.versions, this.version)
  }

  protected isTagged(field: AnyField): boolean {
    return includes(field.options.tagged, this.version)
  }

  /** The method of `Reader` and `Writer` for a type: string -> compactNullableString and so on. */
  protected methodName(kind: string, nullable: boolean): string {
    const words = [this.flexible ? 'compact' : '', nullable ? 'nullable' : '', kind].filter(Boolean)
    return words
      .map((word, i) => (i === 0 ? word : word[0]!.toUpperCase() + word.slice(1)))
      .join('')
  }

  protected isNullable(field: AnyField): boolean {
    return includes(field.options.nullable, this.version)
  }

  /** The size of the smallest encoding, in bytes: it bounds an array's count. */
  protected bytesMin(field: AnyField): number {
    const { type } = field
    if (type.kind === 'string') return this.flexible ? 1 : 2
    if (type.kind === 'bytes' || type.kind === 'array') return this.flexible ? 1 : 4
    if (type.kind !== 'struct') return SCALAR_BYTES[type.kind]
    if (this.isNullable(field)) return 1
    const inline = Object.values(type.fields).filter(
      (each) => this.carries(each) && !this.isTagged(each),
    )
    return inline.reduce((sum, each) => sum + this.bytesMin(each), this.flexible ? 1 : 0)
  }
}

class DecoderSource extends Source {
  /** Writes the lines that read a struct; @returns an object literal of the read fields. */
  struct(fields: Shape): string {
    const members: string[] = []
    const tagged: [tag: number, local: string, field: AnyField][] = []
    for (const [name, field] of Object.entries(fields)) {
      checkName(name)
      if (!this.carries(field)) {
        members.push(`${name}: ${defaultLiteral(field)}`)
        continue
      }
      const local = this.local(name)
      members.push(`${name}: ${local}`)
      if (this.isTagged(field)) {
        this.lines.push(`let ${local} = ${defaultLiteral(field)}`)
        tagged.push([field.options.tag!, local, field])
      } else {
        const value = this.value(field)
        this.lines.push(`const ${local} = ${value}`)
      }
    }
    if (this.flexible) this.tags(tagged)
    return `{ ${members.join(', ')} }`
  }

  private tags(tagged: [tag: number, local: string, field: AnyField][]): void {
    if (tagged.length === 0) {
      this.lines.push('r.skipTags()')
      return
    }
    this.lines.push('for (let left = r.tagCount(); left > 0; left--) {')
    this.lines.push('const tag = r.uvarint(), size = r.uvarint(), start = r.take(size)')
    for (const [tag, local, field] of tagged) {
      this.lines.push(`if (tag === ${tag}) {`, 'r.position = start')
      const value = this.value(field)
      this.lines.push(`${local} = ${value}`, 'r.endTag(start + size)', '}')
    }
    this.lines.push('}')
  }

  private value(field: AnyField): string {
    const { type } = field
    const nullable = this.isNullable(field)
    switch (type.kind) {
      case 'string':
        return `r.${this.methodName('string', nullable)}()`
      case 'bytes':
        return `r.${this.methodName('bytes', nullable)}()`
      case 'array':
        return this.array(type.element, nullable)
      case 'struct':
        return nullable ? this.nullableStruct(type.fields) : this.struct(type.fields)
      default:
        return `r.${type.kind}()`
    }
  }

  private array(element: AnyField, nullable: boolean): string {
    const count = this.local('count')
    const list = this.local('list')
    const elementBytesMin = Math.max(1, this.bytesMin(element))
    this.lines.push(`const ${count} = r.${this.methodName('count', nullable)}(${elementBytesMin})`)
    this.lines.push(nullable ? `const ${list} = ${count} < 0 ? null : []` : `const ${list} = []`)
    this.lines.push(`for (let i = 0; i < ${count}; i++) {`)
    const value = this.value(element)
    this.lines.push(`${list}.push(${value})`)
    this.pause()
    this.lines.push('}')
    return list
  }

  private nullableStruct(fields: Shape): string {
    const local = this.local('struct')
    this.lines.push(`let ${local} = null`, 'if (r.int8() >= 0) {')
    const value = this.struct(fields)
    this.lines.push(`${local} = ${value}`, '}')
    return local
  }
}

class EncoderSource extends Source {
  struct(fields: Shape, value: string): void {
    const tagged: [field: AnyField, local: string][] = []
    for (const [name, field] of Object.entries(fields)) {
      checkName(name)
      if (!this.carries(field)) continue
      const local = this.local(name)
      this.lines.push(`let ${local} = ${value}.${name}`)
      if (this.isTagged(field)) {
        tagged.push([field, local])
        continue
      }
      if (field.options.optional) {
        this.lines.push(`if (${local} === undefined) ${local} = ${defaultLiteral(field)}`)
      }
      if (field.options.nullable !== NEVER && !this.isNullable(field)) {
        this.lines.push(`if (${local} === null) refuseNull('${name}')`)
      }
      this.value(field, local)
    }
    if (this.flexible) this.tags(tagged)
  }

  private tags(tagged: [field: AnyField, local: string][]): void {
    if (tagged.length === 0) {
      this.lines.push('w.uvarint(0)')
      return
    }
    const present = tagged.map(([field, local]) => `(${differsFromDefault(field, local)})`)
    this.lines.push(`w.uvarint(${present.map((each) => `${each} + 0`).join(' + ')})`)
    const ascending = tagged.toSorted(([a], [b]) => a.options.tag! - b.options.tag!)
    for (const [field, local] of ascending) {
      this.lines.push(
        `if (${differsFromDefault(field, local)}) w.tagged(${field.options.tag}, (w) => {`,
      )
      this.isInTag = true
      this.value(field, local)
      this.isInTag = false
      this.lines.push('})')
    }
  }

  private value(field: AnyField, value: string): void {
    const { type } = field
    switch (type.kind) {
      case 'string':
      case 'bytes':
        this.lines.push(`w.${this.methodName(type.kind, this.isNullable(field))}(${value})`)
        return
      case 'array':
        this.array(type.element, value, this.isNullable(field))
        return
      case 'struct':
        if (this.isNullable(field)) this.nullableStruct(type.fields, value)
        else this.struct(type.fields, value)
        return
      default:
        this.lines.push(`w.${type.kind}(${value})`)
    }
  }

  private array(element: AnyField, list: string, nullable: boolean): void {
    const count = this.methodName('count', false)
    if (nullable) this.lines.push(`if (${list} === null) w.${count}(-1)`, 'else {')
    else this.lines.push('{')
    const index = this.local('i')
    const local = this.local('element')
    this.lines.push(`w.${count}(${list}.length)`)
    this.lines.push(`for (let ${index} = 0; ${index} < ${list}.length; ${index}++) {`)
    this.lines.push(`const ${local} = ${list}[${index}]`)
    this.value(element, local)
    this.pause()
    this.lines.push('}', '}')
  }

  private nullableStruct(fields: Shape, value: string): void {
    this.lines.push(`if (${value} === null) w.int8(-1)`, 'else {', 'w.int8(1)')
    this.struct(fields, value)
    this.lines.push('}')
  }
}

function checkName(name: string): void {
  if (!/^[a-z][A-Za-z0-9]*$/.test(name)) throw new TypeError(`field name "${name}"`)
}

function defaultLiteral(field: AnyField): string {
  const { type, options } = field
  if (type.kind === 'struct' && options.default === undefined) {
    const members = Object.entries(type.fields).map(
      ([name, each]) => `${name}: ${defaultLiteral(each)}`,
    )
    return `{ ${members.join(', ')} }`
  }
  if (type.kind === 'bytes' && options.default !== null) return 'EMPTY'
  return JSON.stringify(options.default)
}

/** A condition in JavaScript: is there a value, and is it not the default? */
function differsFromDefault(field: AnyField, value: string): string {
  const given = `${value} !== undefined`
  const { type, options } = field
  if (options.default === null) return `${given} && ${value} !== null`
  if (type.kind === 'array' || type.kind === 'bytes') return `${given} && ${value}.length > 0`
  if (type.kind !== 'struct') return `${given} && ${value} !== ${JSON.stringify(options.default)}`
  const members = Object.entries(type.fields).map(
    ([name, each]) => `(${differsFromDefault(each, `${value}.${name}`)})`,
  )
  return `${given} && (${members.join(' || ')})`
}
