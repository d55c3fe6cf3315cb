// The widest request of every API, made from its table: each of its arrays in turn has the wanted length, with one
// name repeated or many existing names. Tests only.

import { apis } from '../../protocol/apis.ts'
import { UUID_ZERO } from '../../protocol/ids.ts'
import { includes, type AnyField, type Api, type Shape } from '../../protocol/schema.ts'
import { defaultOf } from '../../protocol/testing/arbitraries.ts'

/** The existing things. */
export interface Existing {
  readonly topics: readonly string[]
  /** Of the first topic; the others have one partition. */
  readonly partitionCount: number
  readonly groups: readonly string[]
}

export interface WideRequest {
  readonly api: Api
  readonly version: number
  readonly title: string
  readonly request: any
}

interface Filling {
  readonly existing: Existing
  readonly version: number
  /** The path of the long array: the names of the fields that lead to it. */
  readonly path: string
  readonly length: number
  readonly isSame: boolean
}

/** Requests that destroy what other requests name come last. */
const order = [37, 21, 47, 42, 20]

/** @param isOldToo the oldest version as well as the newest */
export function* widestRequests(
  existing: Existing,
  length: number,
  isOldToo: boolean,
): Generator<WideRequest> {
  const sorted = apis.toSorted((a, b) => order.indexOf(a.key) - order.indexOf(b.key))
  for (const api of sorted) {
    const { from, to } = api.versions
    for (const version of isOldToo ? new Set([from, to]) : [to]) {
      for (const path of arraysIn(api.request.fields, version)) {
        for (const isSame of [true, false]) {
          const filling = { existing, version, path, length, isSame }
          const how = isSame ? 'one name' : 'many names'
          const title = `${api.name} v${version}, ${path} with ${length} of ${how}`
          yield { api, version, title, request: struct(api.request.fields, filling, '', 0) }
        }
      }
    }
  }
}

function arraysIn(fields: Shape, version: number, prefix = ''): string[] {
  return Object.entries(fields).flatMap(([name, { type, options }]) => {
    if (type.kind !== 'array' || !includes(options.versions, version)) return []
    const path = prefix + name
    const { type: inner } = type.element
    return [path, ...(inner.kind === 'struct' ? arraysIn(inner.fields, version, `${path}.`) : [])]
  })
}

function struct(fields: Shape, filling: Filling, prefix: string, i: number): any {
  return Object.fromEntries(
    Object.entries(fields).map(([name, field]) => [name, value(field, filling, prefix + name, i)]),
  )
}

/** @param i index of the element in the long array */
function value(field: AnyField, filling: Filling, path: string, i: number): any {
  const { type, options } = field
  const { version, isSame, existing } = filling
  if (!includes(options.versions, version)) return defaultOf(field)
  const number = isSame ? 0 : i
  switch (type.kind) {
    case 'array':
      return list(field, type.element, filling, path, i)
    case 'struct':
      return struct(type.fields, filling, `${path}.`, i)
    case 'string':
      return text(path, number, filling)
    case 'int32':
      return /partition|index/i.test(path) && !/epoch|count|bytes/i.test(path)
        ? number % existing.partitionCount
        : defaultOf(field)
    case 'int8':
      return path.endsWith('resourceType') ? 2 : defaultOf(field)
    case 'int64':
      return path.endsWith('timestamp') ? -1 : defaultOf(field)
    case 'uuid':
      return UUID_ZERO
    case 'bytes':
      return includes(options.nullable, version) ? null : Buffer.alloc(0)
    default:
      return defaultOf(field)
  }
}

/** Null if that means all, or else one element; except for the long array. */
function list(
  { options }: AnyField,
  element: AnyField,
  filling: Filling,
  path: string,
  i: number,
): any[] | null {
  const { path: long, length, version } = filling
  if (path === long) return Array.from({ length }, (_, j) => value(element, filling, path, j))
  const isNullable = includes(options.nullable, version) && !long.startsWith(`${path}.`)
  return isNullable ? null : [value(element, filling, path, i)]
}

function text(path: string, i: number, { existing: { topics, groups }, path: long }: Filling) {
  const isOneTopic = long.startsWith('topics.') // one topic with many partitions
  switch (namedBy(path)) {
    case 'group':
      return groups[i % groups.length]!
    case 'config':
      return i === 0 ? 'retention.ms' : `retention.ms.${i}`
    case 'topic':
      return topics[isOneTopic ? 0 : i % topics.length]!
    default:
      return `text-${i}`
  }
}

/** The kind of name in a text field, by the path of the field: 'topics.name'. */
export function namedBy(path: string): 'group' | 'config' | 'topic' | undefined {
  const name = path.slice(path.lastIndexOf('.') + 1)
  if (/group/i.test(name) || name === 'coordinatorKeys') return 'group'
  if (/^(configs|.*\.configs)\.name$/.test(path) || name === 'configurationKeys') return 'config'
  return /topic|^name$|resourceName/i.test(name) ? 'topic' : undefined
}
