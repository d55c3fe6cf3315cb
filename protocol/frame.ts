// Frames and headers, written by hand and not by a table: int32 size, header, message. Any thread; one FrameCutter per connection.
// Format: docs/formats/frames.md

import { asBuffer } from './bytes.ts'
import { encode, encodeInSlices } from './compile.ts'
import { KafkaError } from './errors.ts'
import { includes, type Api, type RequestInput, type ResponseInput } from './schema.ts'
import { Writer, type Reader } from './wire.ts'

const API_VERSIONS_KEY = 18
const SIZE_BYTES = 4

/** The size of a connection's first assembly buffer; it is larger once the connection has sent a larger frame. */
const ASSEMBLY_BYTES_MIN = 64 * 1024

/** The part of a request header that every version shares. */
export interface RequestHeader {
  readonly apiKey: number
  readonly apiVersion: number
  readonly correlationId: number
  readonly clientId: string | null
}

/** Reads the fields that all versions share, before the version is known; `skipHeaderTags` reads the rest. */
export function readRequestHeader(reader: Reader): RequestHeader {
  return {
    apiKey: reader.int16(),
    apiVersion: reader.int16(),
    correlationId: reader.int32(),
    clientId: reader.nullableString(),
  }
}

/** The tagged fields that end a request header of a flexible version. */
export function skipHeaderTags(reader: Reader, api: Api, version: number): void {
  if (includes(api.request.flexible, version)) reader.skipTags()
}

/** @returns the correlation id */
export function readResponseHeader(reader: Reader, api: Api, version: number): number {
  const correlationId = reader.int32()
  if (responseHeaderHasTags(api, version)) reader.skipTags()
  return correlationId
}

/** @returns the frame in chunks, its size first; records of at least 4 KiB are borrowed until the frame has been sent */
export function encodeRequestFrame<A extends Api<any, any>>(
  api: A,
  version: number,
  correlationId: number,
  clientId: string | null,
  request: RequestInput<A>,
): Uint8Array[] {
  const writer = new Writer()
  writer.int32(0)
  writer.int16(api.key)
  writer.int16(version)
  writer.int32(correlationId)
  writer.nullableString(clientId)
  if (includes(api.request.flexible, version)) writer.uvarint(0)
  encode(api.request, version, writer, request)
  return writer.frame()
}

/** @returns the frame in chunks, its size first; records of at least 4 KiB are borrowed until the frame has been sent */
export function encodeResponseFrame<A extends Api<any, any>>(
  api: A,
  version: number,
  correlationId: number,
  response: ResponseInput<A>,
): Uint8Array[] {
  const writer = beginResponse(api, version, correlationId)
  encode(api.response, version, writer, response)
  return writer.frame()
}

/** The same as a generator, for a large response: other requests have their turn between its elements. */
export function* encodeResponseFrameInSlices<A extends Api<any, any>>(
  api: A,
  version: number,
  correlationId: number,
  response: ResponseInput<A>,
  isDue: () => boolean,
): Generator<void, Uint8Array[]> {
  const writer = beginResponse(api, version, correlationId)
  yield* encodeInSlices(api.response, version, writer, response, isDue)
  return writer.frame()
}

function beginResponse(api: Api<any, any>, version: number, correlationId: number): Writer {
  const writer = new Writer()
  writer.int32(0)
  writer.int32(correlationId)
  if (responseHeaderHasTags(api, version)) writer.uvarint(0)
  return writer
}

/** Not in ApiVersions: a client cannot know yet which versions the broker speaks (KIP-511). */
function responseHeaderHasTags(api: Api, version: number): boolean {
  return api.key !== API_VERSIONS_KEY && includes(api.response.flexible, version)
}

/** The source of a cutter's assembly buffers; the cutter returns each when its frame is done. */
interface AssemblyBuffers {
  /** @returns at least `bytes` long, with undefined contents */
  take(bytes: number): Buffer
  give(buffer: Buffer): void
}

const freshBuffers: AssemblyBuffers = {
  take: (bytes) => Buffer.allocUnsafeSlow(bytes),
  give: () => {},
}

/** Cuts frames out of the chunks of one connection. It is unusable after an error: close the connection. */
export class FrameCutter {
  frameBytesMax: number
  readonly #buffers: AssemblyBuffers
  /** The bytes of a size prefix that spans chunks, as far as they have arrived. */
  readonly #prefix = Buffer.alloc(SIZE_BYTES)
  #prefixBytes = 0
  /** The bytes of an incomplete frame, as far as they have arrived; undefined between frames. */
  #assembly: Buffer | undefined
  #assembledBytes = 0
  #frameBytes = 0
  /** The size of the largest complete frame so far: the cutter allocates that much at once for the next. */
  #frameBytesSeen = ASSEMBLY_BYTES_MIN

  /** @param buffers by default each frame that spans chunks gets a new buffer, which is then given */
  constructor(frameBytesMax: number, buffers: AssemblyBuffers = freshBuffers) {
    this.frameBytesMax = frameBytesMax
    this.#buffers = buffers
  }

  /** Memory of the incomplete frame; 0 between frames. */
  get heldBytes(): number {
    return (this.#assembly?.length ?? 0) + this.#prefixBytes
  }

  /**
   * @param chunk borrowed
   * @param onFrame called for each complete frame, without its size prefix. A frame that lies in `chunk` is
   *   a view into it, borrowed as long as `chunk` is; one that spans chunks is given, or with the caller's `buffers`
   *   borrowed until `onFrame` returns
   * @throws {KafkaError} INVALID_REQUEST for a frame of negative size or more than `frameBytesMax`
   */
  push(chunk: Uint8Array, onFrame: (frame: Buffer) => void): void {
    const bytes = asBuffer(chunk)
    let at = 0
    while (at < bytes.length) {
      if (this.#assembly !== undefined) {
        at = this.#assemble(bytes, at, onFrame)
        continue
      }
      const start = this.#readSize(bytes, at)
      if (start === undefined) return
      at = start + this.#frameBytes
      if (at <= bytes.length) onFrame(bytes.subarray(start, at))
      else {
        this.#assembly = this.#buffers.take(Math.min(this.#frameBytes, this.#frameBytesSeen))
        this.#assembledBytes = 0
        at = start
        if (at === bytes.length) return
      }
    }
  }

  /** @returns the position of the frame, undefined if its size prefix is incomplete */
  #readSize(bytes: Buffer, at: number): number | undefined {
    if (this.#prefixBytes === 0 && at + SIZE_BYTES <= bytes.length) {
      this.#frameBytes = this.#checked(bytes.readInt32BE(at))
      return at + SIZE_BYTES
    }
    const copied = bytes.copy(this.#prefix, this.#prefixBytes, at)
    this.#prefixBytes += copied
    if (this.#prefixBytes < SIZE_BYTES) return undefined
    this.#prefixBytes = 0
    this.#frameBytes = this.#checked(this.#prefix.readInt32BE())
    return at + copied
  }

  #checked(frameBytes: number): number {
    if (frameBytes >= 0 && frameBytes <= this.frameBytesMax) return frameBytes
    const hint = SPOKEN_BY_OTHERS.get(frameBytes >>> 16)
    const limit = `0 to ${this.frameBytesMax} are allowed`
    throw new KafkaError('INVALID_REQUEST', `a frame of ${frameBytes} bytes${hint ?? ''}, ${limit}`)
  }

  /** Copies the part of the frame in `bytes`; memory grows with the bytes that have arrived, not with the stated size. */
  #assemble(bytes: Buffer, at: number, onFrame: (frame: Buffer) => void): number {
    const end = Math.min(bytes.length, at + this.#frameBytes - this.#assembledBytes)
    const arrived = this.#assembledBytes + end - at
    if (arrived > this.#assembly!.length) this.#grow(arrived)
    const assembly = this.#assembly!
    bytes.copy(assembly, this.#assembledBytes, at, end)
    this.#assembledBytes = arrived
    if (arrived === this.#frameBytes) {
      this.#assembly = undefined
      this.#frameBytesSeen = Math.max(this.#frameBytesSeen, arrived)
      try {
        onFrame(assembly.subarray(0, arrived))
      } finally {
        this.#buffers.give(assembly)
      }
    }
    return end
  }

  #grow(bytesMin: number): void {
    const assembly = this.#assembly!
    const grown = this.#buffers.take(
      Math.min(this.#frameBytes, Math.max(2 * assembly.length, bytesMin)),
    )
    assembly.copy(grown, 0, 0, this.#assembledBytes)
    this.#buffers.give(assembly)
    this.#assembly = grown
  }
}

/** The first two bytes of responses in other protocols, for a message that helps. */
const SPOKEN_BY_OTHERS = new Map([
  [0x1503, ' (this looks like TLS, on a port that speaks nothing else)'],
  [0x4854, ' (this looks like HTTP)'],
])
