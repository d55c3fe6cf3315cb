// The minimal client: requests over one socket, answers in order. It measures the broker, not itself.

import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { createTopics } from '../protocol/api/19_create_topics.ts'
import { deleteTopics } from '../protocol/api/20_delete_topics.ts'
import { listOffsets } from '../protocol/api/02_list_offsets.ts'
import { decode } from '../protocol/compile.ts'
import { encodeRequestFrame, FrameCutter, readResponseHeader } from '../protocol/frame.ts'
import type { Api, RequestInput, ResponseOf } from '../protocol/schema.ts'
import { Reader } from '../protocol/wire.ts'

const FRAME_BYTES_MAX = 256 * 1024 * 1024

export class WireClient implements Disposable {
  readonly #socket: Socket
  readonly #waiting: { take: (frame: Buffer) => void; reject: (error: Error) => void }[] = []
  #correlationId = 0

  private constructor(socket: Socket) {
    this.#socket = socket
    const cutter = new FrameCutter(FRAME_BYTES_MAX)
    socket.on('data', (chunk) => cutter.push(chunk, (frame) => this.#waiting.shift()!.take(frame)))
    socket.on('error', () => {}) // 'close' follows
    socket.on('close', () => {
      for (const { reject } of this.#waiting.splice(0)) reject(new Error('the connection is lost'))
    })
  }

  static async connect(bootstrap: string): Promise<WireClient> {
    const [host, port] = bootstrap.split(':')
    const socket = connect({ host: host!, port: Number(port), noDelay: true })
    await once(socket, 'connect')
    return new WireClient(socket)
  }

  /** @returns byte fields borrowed from the socket's chunk: valid until the next turn */
  call<A extends Api<any, any>>(
    api: A,
    version: number,
    request: RequestInput<A>,
  ): Promise<ResponseOf<A>> {
    const chunks = encodeRequestFrame(api, version, this.#correlationId++, 'bench', request)
    this.#socket.cork()
    for (const chunk of chunks) this.#socket.write(chunk)
    this.#socket.uncork()
    return new Promise((resolve, reject) => {
      const take = (frame: Buffer) => {
        const reader = new Reader(frame)
        readResponseHeader(reader, api, version)
        resolve(decode(api.response, version, reader) as ResponseOf<A>)
      }
      this.#waiting.push({ take, reject })
    })
  }

  async createTopic(
    name: string,
    config: Readonly<Record<string, string>>,
    numPartitions = 1,
  ): Promise<void> {
    const configs = Object.entries(config).map(([name, value]) => ({ name, value }))
    const topics = [{ name, numPartitions, replicationFactor: 1, configs }]
    const [topic] = (await this.call(createTopics, 5, { topics })).topics
    if (topic?.errorCode !== 0)
      throw new Error(`topic ${name}: error ${topic?.errorCode}, ${topic?.errorMessage}`)
  }

  async deleteTopic(name: string): Promise<void> {
    const request = { topicNames: [name], timeoutMs: 30_000 }
    const [topic] = (await this.call(deleteTopics, 5, request)).responses
    if (topic?.errorCode !== 0) throw new Error(`topic ${name}: error ${topic?.errorCode}`)
  }

  async endOffset(name: string): Promise<number> {
    const topics = [{ name, partitions: [{ partitionIndex: 0, timestamp: -1 }] }]
    const [topic] = (await this.call(listOffsets, 5, { topics })).topics
    return topic!.partitions[0]!.offset
  }

  [Symbol.dispose](): void {
    this.#socket.destroy()
  }
}
