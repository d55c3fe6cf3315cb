// HostileFrames: requests of every API and version, made from the tables, with existing names, and with fields,
// lengths, counts and tags that are wrong in every way. One seed gives the same frames. Tests only.

import fc from 'fast-check'
import { BatchBuilder } from '../../../protocol/batch/build.ts'
import { stampCrc } from '../../../protocol/batch/header.ts'
import { encodeRequestFrame } from '../../../protocol/frame.ts'
import { includes, type AnyField, type Api, type Shape } from '../../../protocol/schema.ts'
import { valuesOf, withUnknownTags } from '../../../protocol/testing/arbitraries.ts'
import { mulberry32, mutated, pick } from '../../../protocol/testing/mutations.ts'
import { namedBy } from '../widest.ts'

/** Values of each version from which frames are made. */
const VALUES_PER_VERSION = 4
const PREFIX_BYTES = 4
const FRAME_BYTES_MAX = 256 * 1024
const PRODUCE = 0
const PRODUCE_SHARE = 0.15
const MUTATED_SHARE = 0.12

/** Attackers know these names, and none of the honest clients'. */
export const knownNames = {
  topic: [
    'fuzz-0',
    'fuzz-1',
    'fuzz-2',
    'fuzz-compacted',
    '__consumer_offsets',
    '__transaction_state',
  ],
  group: ['fuzz-group-0', 'fuzz-group-1', 'fuzz-group-2'],
  config: [
    'retention.ms',
    'cleanup.policy',
    'max.message.bytes',
    'segment.bytes',
    'compression.type',
  ],
  other: ['fuzz-id-0', 'fuzz-id-1', 'consumer', 'range', ''],
}
const codecs = ['none', 'gzip', 'snappy', 'lz4', 'zstd'] as const
const integers = [0, 1, 2, -1, -2, 0x7fff, 0x7fff_ffff, -0x8000_0000]
const longs = [0, 1, -1, -2, 1000, 2 ** 31, 2 ** 53, 2 ** 62, -(2 ** 62)]

interface Template {
  readonly api: Api
  readonly version: number
  readonly value: any
}

export class HostileFrames {
  readonly #random: () => number
  readonly #templates: readonly Template[]
  readonly #produces: readonly Template[]
  readonly #scratch = Buffer.alloc(FRAME_BYTES_MAX)

  constructor(templates: readonly Template[], seed: number) {
    this.#random = mulberry32(seed)
    this.#templates = templates
    this.#produces = templates.filter(({ api }) => api.key === PRODUCE)
  }

  chance(share: number): boolean {
    return this.#random() < share
  }

  /** An integer from 0 to `limit` - 1. */
  below(limit: number): number {
    return Math.floor(this.#random() * limit)
  }

  /** One frame behind its size, which is sometimes wrong. */
  next(): Buffer {
    const isProduce = this.chance(PRODUCE_SHARE)
    const template = pick(isProduce ? this.#produces : this.#templates, this.#random)
    const frame = this.#frameOf(template)
    if (!this.chance(MUTATED_SHARE) || frame.length > FRAME_BYTES_MAX) return frame
    if (this.chance(0.05)) return mutated(frame, this.#scratch, this.#random)
    const body = Buffer.from(mutated(frame.subarray(PREFIX_BYTES), this.#scratch, this.#random))
    const prefix = Buffer.alloc(PREFIX_BYTES)
    prefix.writeInt32BE(body.length)
    return Buffer.concat([prefix, body])
  }

  #frameOf({ api, version, value }: Template): Buffer {
    const varied = this.#struct(api.request.fields, value, version, '')
    const id = this.below(0x7fff_ffff)
    return Buffer.concat(encodeRequestFrame(api, version, id, 'fuzz', varied))
  }

  #struct(fields: Shape, value: any, version: number, prefix: string): any {
    const members = Object.entries(value).map(([name, member]) => {
      const field = fields[name]!
      const isCarried = includes(field.options.versions, version)
      return [name, isCarried ? this.#varied(field, member, version, prefix + name) : member]
    })
    return Object.fromEntries(members)
  }

  #varied(field: AnyField, value: any, version: number, path: string): any {
    const { type } = field
    if (value === null) return null
    switch (type.kind) {
      case 'string':
        return this.#text(value, path)
      case 'int32':
        if (/partition|index/i.test(path) && this.chance(0.7)) return this.below(3)
        if (path === 'maxWaitMs' && this.chance(0.9)) return this.below(5)
        return this.chance(0.3) ? pick(integers, this.#random) : value
      case 'int64':
        return this.chance(0.3) ? pick(longs, this.#random) : value
      case 'int8':
        return path.endsWith('resourceType') && this.chance(0.7) ? 2 : value
      case 'int16':
        return path === 'acks' && this.chance(0.9) ? pick([1, -1], this.#random) : value
      case 'bytes':
        return path.endsWith('records') && this.chance(0.9) ? this.#batch() : value
      case 'array':
        return this.#list(type.element, value, version, path)
      case 'struct':
        return this.#struct(type.fields, value, version, `${path}.`)
      default:
        return value
    }
  }

  #list(element: AnyField, value: readonly any[], version: number, path: string): any[] {
    const list = value.map((each) => this.#varied(element, each, version, path))
    const isWidened = list.length > 0 && !path.includes('.') && this.chance(0.02)
    return isWidened
      ? Array.from({ length: this.below(2000) }, (_, i) => list[i % list.length])
      : list
  }

  #text(value: string, path: string): string {
    if (this.chance(0.1)) return value
    return pick(knownNames[namedBy(path) ?? 'other'], this.#random)
  }

  /** A sound batch, or one with changed bytes, whose CRC fits or not. */
  #batch(): Buffer {
    const builder = new BatchBuilder()
    const recordCount = 1 + this.below(4)
    for (let i = 0; i < recordCount; i++) {
      const key = this.chance(0.5) ? Buffer.from(`key-${this.below(5)}`) : null
      const headers = this.chance(0.2) ? ([['h', Buffer.from('v')]] as const) : []
      builder.append({
        timestamp: pick(longs, this.#random),
        key,
        value: Buffer.alloc(i * 9),
        headers,
      })
    }
    const finish = { codec: pick(codecs, this.#random), isTransactional: this.chance(0.1) }
    const producer = { producerId: this.below(20), producerEpoch: 0, baseSequence: this.below(3) }
    const batch = Buffer.from(
      builder.finish(this.chance(0.3) ? { ...finish, ...producer } : finish),
    )
    const changes = this.chance(0.5) ? this.below(4) : 0
    for (let i = 0; i < changes; i++) batch[this.below(batch.length)] = this.below(256)
    if (changes > 0 && this.chance(0.7)) stampCrc(batch, 0, batch.length)
    return batch
  }
}

/** Values of every version of these APIs, as today's clients send them and as later ones may. */
export function templatesOf(apis: readonly Api[], seed: number): Template[] {
  return apis.flatMap((api) => {
    const { from, to } = api.versions
    const versions = Array.from({ length: to - from + 1 }, (_, i) => from + i)
    const later = { ...api, request: withUnknownTags(api.request) }
    return versions.flatMap((version) =>
      [api, api, later].flatMap((each, i) =>
        fc
          .sample(valuesOf(each.request, version), { numRuns: VALUES_PER_VERSION, seed: seed + i })
          .map((value) => ({ api: each, version, value })),
      ),
    )
  })
}
