// Values of any message, derived from its table; and tables with unknown fields. Tests only.

import fc from 'fast-check'
import { Field, includes, string, type AnyField, type Message, type Shape } from '../schema.ts'

const ELEMENTS_MAX = 3
const UNKNOWN_TAGS = { unknownTag77: 77, unknownTag7777: 7777 }

/** Every decoded value of a version; fields that the version lacks have their defaults. */
export function valuesOf(message: Message<any>, version: number): fc.Arbitrary<any> {
  return structs(message.fields, version)
}

function structs(fields: Shape, version: number): fc.Arbitrary<any> {
  const members = Object.entries(fields).map(([name, field]) => [name, values(field, version)])
  return fc.record(Object.fromEntries(members), { noNullPrototype: true })
}

function values(field: AnyField, version: number): fc.Arbitrary<any> {
  if (!includes(field.options.versions, version)) return fc.constant(defaultOf(field))
  const given = present(field, version)
  return includes(field.options.nullable, version) ? fc.option(given) : given
}

function present({ type }: AnyField, version: number): fc.Arbitrary<any> {
  switch (type.kind) {
    case 'bool':
      return fc.boolean()
    case 'int8':
      return fc.integer({ min: -0x80, max: 0x7f })
    case 'int16':
      return fc.integer({ min: -0x8000, max: 0x7fff })
    case 'uint16':
      return fc.integer({ min: 0, max: 0xffff })
    case 'int32':
      return fc.integer()
    case 'int64':
      return fc.maxSafeInteger()
    case 'float64':
      return fc.double({ noNaN: true })
    case 'uuid':
      return fc
        .uint8Array({ minLength: 16, maxLength: 16 })
        .map((id) => Buffer.from(id).toString('base64url'))
    case 'string':
      return fc.string({ unit: 'binary', maxLength: 150 })
    case 'bytes':
      return fc.uint8Array({ maxLength: 150 }).map((bytes) => Buffer.from(bytes))
    case 'array':
      return fc.array(values(type.element, version), { maxLength: ELEMENTS_MAX })
    case 'struct':
      return structs(type.fields, version)
  }
}

export function defaultOf({ type, options }: AnyField): unknown {
  if (type.kind === 'bytes' && options.default !== null) return Buffer.alloc(0)
  if (type.kind !== 'struct' || options.default !== undefined) return options.default
  return Object.fromEntries(
    Object.entries(type.fields).map(([name, field]) => [name, defaultOf(field)]),
  )
}

/** The same message as a later Kafka might send it: with unknown tagged fields in each of its structs. */
export function withUnknownTags(message: Message<any>): Message<any> {
  return { ...message, fields: extended(message.fields) }
}

function extended(fields: Shape): Shape {
  const known = Object.entries(fields).map(([name, field]) => [name, extendedField(field)])
  const unknown = Object.entries(UNKNOWN_TAGS).map(([name, tag]) => [name, string.tag(tag)])
  return Object.fromEntries([...known, ...unknown])
}

function extendedField(field: AnyField): AnyField {
  const { type, options } = field
  switch (type.kind) {
    case 'array':
      return new Field({ ...type, element: extendedField(type.element) }, options)
    case 'struct':
      return new Field({ ...type, fields: extended(type.fields) }, options)
    default:
      return field
  }
}

/** The value of `withUnknownTags` as a reader without these tags reads it. */
export function withoutUnknown(value: any): any {
  if (Array.isArray(value)) return value.map(withoutUnknown)
  if (value === null || typeof value !== 'object' || Buffer.isBuffer(value)) return value
  const known = Object.entries(value).filter(([name]) => !(name in UNKNOWN_TAGS))
  return Object.fromEntries(known.map(([name, member]) => [name, withoutUnknown(member)]))
}
