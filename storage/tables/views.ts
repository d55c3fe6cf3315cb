// Views: the LMDB environment that spares large tables the replay of their logs. It holds nothing that a log does not.
// Network thread. A view is believed only when its file is, byte for byte, what a clean stop left: LMDB may hand out wrong
// values, or abort the process, over a damaged file. Format: docs/formats/tables.md

import { createHash } from 'node:crypto'
import { join } from 'node:path'
import type { Database, RootDatabase } from 'lmdb'
import { crc32c } from '../../protocol/crc32c.ts'
import type { Uuid } from '../../protocol/ids.ts'
import type { Fs } from '../fs.ts'
import { readText, replaceText } from '../text-file.ts'

export const VIEW_FILE = 'tables.lmdb'
/** Says what the view file was when it was closed; taken away at the next start. */
export const SEAL_FILE = 'tables.seal'
const LOCK_SUFFIX = '-lock'

/** 1: views held what was pending too. */
const SEAL_VERSION = 2
const TABLES_MAX = 64
const HASH_BYTES = 1024 * 1024
const CHECKSUM_BYTES = 4
/** No key of a table starts like this. */
const APPLIED_KEY = '\u0000applied'

/** A packed value, or undefined to delete the key. */
export type PackedChange = readonly [key: string, value: Uint8Array | undefined]

export interface ViewsDeps {
  readonly fs: Fs
  readonly dataDir: string
  readonly clusterId: Uuid
  /** A log of fewer bytes is read faster than LMDB is loaded; Infinity: no views at all. */
  readonly viewFromBytes: number
  readonly warn: (message: string) => void
}

export class Views {
  readonly #deps: ViewsDeps
  readonly #path: string
  readonly #sealPath: string
  /** What the last clean stop said of the file; it counts once. */
  #seal: string | undefined
  #env: RootDatabase | undefined
  /** A change did not reach its view: what there is must not be sealed. */
  #isBroken = false

  constructor(deps: ViewsDeps) {
    this.#deps = deps
    this.#path = join(deps.dataDir, VIEW_FILE)
    this.#sealPath = join(deps.dataDir, SEAL_FILE)
    this.#seal = this.#takeSeal()
  }

  isWorthIt(logBytes: number): boolean {
    return logBytes >= this.#deps.viewFromBytes
  }

  /** The view that the last clean stop left; undefined when there is none that can be believed. */
  async openSealed(name: string): Promise<View | undefined> {
    const isSealed = this.#seal !== undefined && this.#seal === this.#sealOfFile()
    this.#seal = undefined
    return this.#env || isSealed ? this.#orBreak(() => this.#open(name)) : undefined
  }

  /** An empty view; undefined when LMDB refuses. */
  async create(name: string): Promise<View | undefined> {
    return this.#orBreak(async () => {
      if (!this.#env) this.#removeFiles()
      const view = await this.#open(name)
      view.clear()
      return view
    })
  }

  /** Leaves views that the next start can believe, unless one of them missed a change. */
  async close(): Promise<void> {
    const env = this.#env
    if (!env) return
    this.#env = undefined
    await this.#orBreak(async () => {
      await env.committed
      await env.close()
      if (!this.#isBroken) this.#writeSeal()
    })
  }

  async #open(name: string): Promise<View> {
    const { open } = await import('lmdb') // takes 60 ms and more, which small brokers need not pay
    const options = {
      path: this.#path,
      noSubdir: true,
      permissionsMode: 0o600, // which its types do not know
      noSync: true,
      overlappingSync: false,
      maxDbs: TABLES_MAX,
      encoding: 'binary',
    } as const
    this.#env ??= open(options)
    const database = this.#env.openDB<Buffer, string>({ name, encoding: 'binary' })
    return new View(database, (error) => this.#break(error))
  }

  async #orBreak<Result>(act: () => Promise<Result>): Promise<Result | undefined> {
    try {
      return await act()
    } catch (error) {
      this.#break(error)
      return undefined
    }
  }

  #break(error: unknown): void {
    if (this.#isBroken) return
    this.#isBroken = true
    this.#deps.warn(`the views are given up until the next start: ${String(error)}`)
  }

  #takeSeal(): string | undefined {
    const { fs, dataDir } = this.#deps
    const seal = readText(fs, this.#sealPath)
    if (seal === undefined) return undefined
    fs.removeFile(this.#sealPath)
    fs.syncDirectory(dataDir)
    return seal
  }

  /** Neither it nor the view needs to survive a power cut: what is left then does not match. */
  #writeSeal(): void {
    const { fs, dataDir } = this.#deps
    replaceText(fs, dataDir, SEAL_FILE, this.#sealOfFile() ?? '', { isDurable: false })
  }

  /** @returns undefined when there is no view file */
  #sealOfFile(): string | undefined {
    const { fs, clusterId } = this.#deps
    if (!fs.stat(this.#path)) return undefined
    const hash = createHash('sha256')
    const chunk = Buffer.allocUnsafe(HASH_BYTES)
    const fd = fs.open(this.#path, 'read')
    try {
      for (let position = 0; ; position += chunk.length) {
        const count = fs.read(fd, chunk, position)
        hash.update(chunk.subarray(0, count))
        if (count < chunk.length) break
      }
    } finally {
      fs.close(fd)
    }
    return `${JSON.stringify({ version: SEAL_VERSION, clusterId, sha256: hash.digest('hex') })}\n`
  }

  #removeFiles(): void {
    const { fs } = this.#deps
    for (const path of [this.#path, this.#path + LOCK_SUFFIX]) {
      if (fs.stat(path)) fs.removeFile(path)
    }
  }
}

/** The view of one table. Every value carries a checksum over its key and itself. */
export class View {
  readonly #database: Database<Buffer, string>
  readonly #onError: (error: unknown) => void

  constructor(database: Database<Buffer, string>, onError: (error: unknown) => void) {
    this.#database = database
    this.#onError = onError
  }

  clear(): void {
    this.#database.clearSync()
  }

  /**
   * Hears every entry.
   *
   * @returns the applied offset: the view holds every record before it
   * @throws {Error} when an entry is damaged
   */
  load(onEntry: (key: string, value: Buffer) => void): number {
    let appliedOffset: number | undefined
    for (const { key, value } of this.#database.getRange({ snapshot: true })) {
      const content = value.subarray(CHECKSUM_BYTES)
      if (value.length < CHECKSUM_BYTES || value.readUInt32BE() !== checksum(key, content)) {
        throw new Error(`the checksum of ${JSON.stringify(key)} is wrong`)
      }
      if (key === APPLIED_KEY) appliedOffset = Number(content.readBigUInt64BE())
      else onEntry(key, content)
    }
    if (appliedOffset === undefined) throw new Error('it has no applied offset')
    return appliedOffset
  }

  /** In one transaction with the offset, in the background. */
  apply(changes: readonly PackedChange[], appliedOffset: number): void {
    const database = this.#database
    const offset = Buffer.alloc(8)
    offset.writeBigUInt64BE(BigInt(appliedOffset))
    try {
      const committed = database.batch(() => {
        for (const [key, value] of [...changes, [APPLIED_KEY, offset] as const]) {
          if (value === undefined) void database.remove(key) // settles with the batch
          else void database.put(key, sealed(key, value)) // as well
        }
      })
      committed.catch(this.#onError)
    } catch (error) {
      this.#onError(error)
    }
  }
}

function checksum(key: string, content: Uint8Array): number {
  return crc32c(Buffer.concat([Buffer.from(key), content]))
}

function sealed(key: string, content: Uint8Array): Buffer {
  const value = Buffer.allocUnsafe(CHECKSUM_BYTES + content.length)
  value.writeUInt32BE(checksum(key, content))
  value.set(content, CHECKSUM_BYTES)
  return value
}
