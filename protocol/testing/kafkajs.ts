// Compares our frames with those of kafkajs, which encodes and decodes by hand, without our tables. Tests only.

import assert from 'node:assert/strict'
import { createRequire } from 'node:module'
import t from './tap.ts'
import { decode } from '../compile.ts'
import {
  encodeRequestFrame,
  encodeResponseFrame,
  readRequestHeader,
  skipHeaderTags,
} from '../frame.ts'
import { includes, type Api, type RequestInput, type ResponseInput } from '../schema.ts'
import { Reader } from '../wire.ts'

/** Loads a part of kafkajs that it does not export. */
export const requireKafkajs = (path: string) => require(`kafkajs/src/${path}`)

const require = createRequire(import.meta.url)
const kafkajsFrame = requireKafkajs('protocol/request')

interface Case<A extends Api<any, any>> {
  /** Undefined if kafkajs adds bytes that the test cannot know: the header of a record batch. */
  readonly request?: RequestInput<A>
  /** The same message in kafkajs' words. */
  readonly kafkajsRequest: object
  readonly response: ResponseInput<A>
  /** The fields that kafkajs must find in every version, and in its last one. */
  readonly found: object
  readonly foundInLast?: object
}

/** For every version that kafkajs has too: our request bytes equal its bytes, and it finds our response's fields. */
export function compare<A extends Api<any, any>>(api: A, folder: string, one: Case<A>): void {
  const kafkajs = requireKafkajs(`protocol/requests/${folder}`)
  const versions = (kafkajs.versions as string[])
    .map(Number)
    .filter((version) => includes(api.versions, version))
  const last = versions.at(-1)
  t.test(`${api.name} ${versions[0]} to ${last} is what kafkajs writes and reads`, async (t) => {
    t.ok(versions.length > 0)
    for (const version of versions) {
      const { request, response } = kafkajs.protocol({ version })(one.kafkajsRequest)
      const frame = await kafkajsFrame({ correlationId: 77, clientId: 'me', request })
      const theirs: Buffer = frame.buffer
      t.equal(
        hex(encodeRequestFrame(api, version, 77, 'me', one.request ?? decoded(theirs))),
        hex([theirs]),
      )
      t.equal(hex(encodeRequestFrame(api, version, 77, 'me', decoded(theirs))), hex([theirs]))

      const answer = Buffer.concat(encodeResponseFrame(api, version, 77, one.response))
      t.same([answer.readInt32BE(0), answer.readInt32BE(4)], [answer.length - 4, 77])
      const found = await response.decode(answer.subarray(8))
      t.match(found, one.found, `response ${version}`)
      if (version === last) t.match(found, one.foundInLast ?? {}, `response ${version}`)
    }
  })

  function decoded(frame: Buffer): RequestInput<A> {
    const reader = new Reader(frame.subarray(4))
    const { apiVersion } = readRequestHeader(reader)
    skipHeaderTags(reader, api, apiVersion)
    const request = decode(api.request, apiVersion, reader)
    assert.equal(reader.remaining, 0)
    return request as RequestInput<A>
  }
}

function hex(chunks: readonly Uint8Array[]): string {
  return Buffer.concat(chunks).toString('hex')
}
