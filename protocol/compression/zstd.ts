// zstd: standard frames, with or without a content size (Java's have none), one after the other. Any thread.
// Node's own zlib does the work if it can (22.15 and later), else a WebAssembly build of the reference library.
// The codec walks the frames first, to bound the output and to split them: both libraries take one frame per call.
// Source: RFC 8878.

import { readFileSync } from 'node:fs'
import * as zlib from 'node:zlib'
import { require, resolveFor } from '../require.ts'
import { CLAIM_BLOCKS_MAX, corrupt, tooLarge, type Compressor } from './bounds.ts'

const FRAME_MAGIC = 0xfd2fb528
/** The low four bits may have any value. */
const SKIPPABLE_MAGIC = 0x184d2a50
const BLOCK_BYTES_MAX = 128 * 1024
/** Every decoder should handle windows of 2^23 bytes. */
const WINDOW_LOG_MIN = 23

interface Frame {
  readonly start: number
  readonly end: number
  readonly blockCount: number
  /** Limit of the output, in bytes. */
  readonly outputBytesMax: number
}

/** A library that implements zstd. */
export interface ZstdLibrary {
  compress(bytes: Uint8Array): Uint8Array
  /** @param bytes one whole frame. @returns undefined if the output exceeds `bytesMax` bytes */
  decompress(bytes: Uint8Array, bytesMax: number): Uint8Array | undefined
}

let library: ZstdLibrary | undefined

export const zstd: Compressor = {
  compress: (bytes) => load().compress(bytes),
  decompress: (bytes, bytesMax) => decompressWith(load(), bytes, bytesMax),
  claimedBytes: (bytes) =>
    framesOf(bytes, CLAIM_BLOCKS_MAX).reduce((sum, frame) => sum + frame.outputBytesMax, 0),
}

/** Exported for the test that runs both libraries. */
export function decompressWith(
  library: ZstdLibrary,
  bytes: Uint8Array,
  bytesMax: number,
): Uint8Array {
  const parts: Uint8Array[] = []
  let bytesLeft = bytesMax
  for (const { start, end, outputBytesMax } of framesOf(bytes)) {
    const part = library.decompress(bytes.subarray(start, end), Math.min(outputBytesMax, bytesLeft))
    if (part === undefined)
      throw outputBytesMax > bytesLeft
        ? tooLarge(undefined, bytesMax)
        : corrupt('zstd: too much output')
    bytesLeft -= part.length
    parts.push(part)
  }
  return parts.length === 1 ? parts[0]! : Buffer.concat(parts)
}

function load(): ZstdLibrary {
  return (library ??= zlibZstd() ?? wasmZstd())
}

/** The functions that node:zlib has since 22.15; the types of Node 20 lack them. */
interface ZlibZstd {
  readonly zstdCompressSync?: (bytes: Uint8Array) => Buffer
  readonly zstdDecompressSync: (bytes: Uint8Array, options: object) => Buffer
  readonly constants: { readonly ZSTD_d_windowLogMax: number }
}

/** @returns undefined if zlib has no zstd */
export function zlibZstd(): ZstdLibrary | undefined {
  const { zstdCompressSync, zstdDecompressSync, constants } = zlib as unknown as ZlibZstd
  if (zstdCompressSync === undefined) return undefined
  return {
    compress: (bytes) => zstdCompressSync(bytes),
    decompress(bytes, bytesMax) {
      const windowLogMax = Math.max(WINDOW_LOG_MIN, Math.ceil(Math.log2(bytesMax + 1)))
      try {
        return zstdDecompressSync(bytes, {
          maxOutputLength: Math.max(1, bytesMax),
          params: { [constants.ZSTD_d_windowLogMax]: Math.min(windowLogMax, 31) },
        })
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE') return undefined
        throw error
      }
    },
  }
}

/** The functions of the WebAssembly module that the codec uses (Emscripten's names). Pointers and sizes are numbers. */
interface ZstdModule {
  instantiateWasm(imports: object, receive: (instance: object) => void): object
  init(): void
  readonly HEAPU8: Uint8Array
  _malloc(size: number): number
  _free(pointer: number): void
  _ZSTD_isError(result: number): number
  _ZSTD_compressBound(size: number): number
  _ZSTD_compress(to: number, toSize: number, from: number, fromSize: number, level: number): number
  _ZSTD_decompress(to: number, toSize: number, from: number, fromSize: number): number
}

/** The part of the global object that the codec uses; the types of Node 20 lack it. */
interface WebAssemblyGlobal {
  Module: new (bytes: Uint8Array) => object
  Instance: new (module: object, imports: object) => { readonly exports: object }
}

const LEVEL = 3
const ERROR_OUTPUT_TOO_SMALL = -70

let wasmLibrary: ZstdLibrary | undefined

/** The only instance; its memory grows to the needs of the largest call and does not shrink. */
export function wasmZstd(): ZstdLibrary {
  return (wasmLibrary ??= libraryOf(instantiate()))
}

/** Loads synchronously: the package's own `init` would make every caller asynchronous. */
function instantiate(): ZstdModule {
  const entry = resolveFor('zstd before Node 22.15', '@bokuweb/zstd-wasm')
  const path = (name: string) => `${entry.slice(0, -'index.node.js'.length)}${name}`
  const { Module: wasm } = require(path('module.js')) as { Module: ZstdModule }
  const { Module, Instance } = (globalThis as unknown as { WebAssembly: WebAssemblyGlobal })
    .WebAssembly
  wasm.instantiateWasm = (imports, receive) => {
    const instance = new Instance(new Module(readFileSync(path('zstd.wasm'))), imports)
    receive(instance)
    return instance.exports
  }
  wasm.init()
  return wasm
}

function libraryOf(wasm: ZstdModule): ZstdLibrary {
  /** @returns the first `toSize` bytes that `call` wrote into the module's memory, or its error as a negative number */
  function withMemory(
    from: Uint8Array,
    toSize: number,
    call: (to: number, from: number) => number,
  ): Uint8Array | number {
    const fromPointer = wasm._malloc(Math.max(1, from.length))
    const toPointer = wasm._malloc(Math.max(1, toSize))
    try {
      if (fromPointer === 0 || toPointer === 0) throw new Error('zstd: out of memory')
      wasm.HEAPU8.set(from, fromPointer)
      const result = call(toPointer, fromPointer)
      if (wasm._ZSTD_isError(result)) return result | 0
      return Buffer.from(wasm.HEAPU8.subarray(toPointer, toPointer + result))
    } finally {
      wasm._free(toPointer)
      wasm._free(fromPointer)
    }
  }

  return {
    compress(bytes) {
      const sizeMax = wasm._ZSTD_compressBound(bytes.length)
      const result = withMemory(bytes, sizeMax, (to, from) =>
        wasm._ZSTD_compress(to, sizeMax, from, bytes.length, LEVEL),
      )
      if (typeof result === 'number') throw new Error(`zstd: error ${result}`)
      return result
    },
    decompress(bytes, bytesMax) {
      const result = withMemory(bytes, bytesMax, (to, from) =>
        wasm._ZSTD_decompress(to, bytesMax, from, bytes.length),
      )
      if (typeof result !== 'number') return result
      if (result === ERROR_OUTPUT_TOO_SMALL) return undefined
      throw new Error(`zstd: error ${result}`)
    },
  }
}

function framesOf(bytes: Uint8Array, blocksMax = Infinity): Frame[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const frames: Frame[] = []
  let at = 0
  let blocksLeft = blocksMax
  do {
    if (blocksLeft < 0) throw corrupt('zstd: many blocks')
    const magic = view.getUint32(at, true)
    if ((magic & 0xfffffff0) === SKIPPABLE_MAGIC) {
      at += 8 + view.getUint32(at + 4, true)
      blocksLeft--
      continue
    }
    if (magic !== FRAME_MAGIC) throw corrupt(`zstd: no frame at ${at}`)
    const frame = frameAt(view, at, blocksLeft)
    blocksLeft -= frame.blockCount
    frames.push(frame)
    at = frame.end
  } while (at < bytes.length)
  if (at > bytes.length) throw corrupt(`zstd: a frame that ends at ${at} of ${bytes.length} bytes`)
  return frames
}

/** Reads past the end throw a RangeError, which the caller reports as damage. */
function frameAt(view: DataView, start: number, blocksMax: number): Frame {
  const descriptor = view.getUint8(start + 4)
  const isSingleSegment = (descriptor & 0x20) !== 0
  const dictionaryIdBytes = [0, 1, 2, 4][descriptor & 3]!
  const contentSizeBytes = [isSingleSegment ? 1 : 0, 2, 4, 8][descriptor >> 6]!
  const contentSizeAt = start + 5 + (isSingleSegment ? 0 : 1) + dictionaryIdBytes
  let at = contentSizeAt + contentSizeBytes
  let blocksBytesMax = 0
  let blockCount = 0
  let isLast = false
  while (!isLast) {
    if (blockCount++ > blocksMax) throw corrupt('zstd: many blocks')
    const header = view.getUint16(at, true) | (view.getUint8(at + 2) << 16)
    isLast = (header & 1) === 1
    const kind = (header >> 1) & 3
    const sizeBytes = header >> 3
    if (kind === 3 || sizeBytes > BLOCK_BYTES_MAX)
      throw corrupt(`zstd: block of kind ${kind}, ${sizeBytes} bytes`)
    blocksBytesMax += kind === COMPRESSED ? BLOCK_BYTES_MAX : sizeBytes
    at += 3 + (kind === RUN ? 1 : sizeBytes)
  }
  const contentBytes = contentSize(view, contentSizeAt, contentSizeBytes)
  return {
    start,
    end: at + (descriptor & 4 ? 4 : 0),
    blockCount,
    outputBytesMax: Math.min(contentBytes ?? Infinity, blocksBytesMax),
  }
}

const RUN = 1
const COMPRESSED = 2

function contentSize(view: DataView, at: number, fieldBytes: number): number | undefined {
  switch (fieldBytes) {
    case 1:
      return view.getUint8(at)
    case 2:
      return view.getUint16(at, true) + 256
    case 4:
      return view.getUint32(at, true)
    case 8:
      return Number(view.getBigUint64(at, true))
    default:
      return undefined
  }
}
