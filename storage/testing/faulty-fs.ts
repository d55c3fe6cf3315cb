// FaultyFs: a disk in memory that loses what a real one may lose. It has a live plane, which the process sees, and a
// durable one, which a power failure leaves: unsynced writes are gone, there, or torn at 512 bytes, in any order; a
// directory entry is durable only after a sync of its directory. Any operation can fail, or be the last. Any thread;
// tests only.

import { strict as assert } from 'node:assert'
import { posix } from 'node:path'
import type { DirectoryEntry, DiskSpace, FileStat, Fs, OpenMode } from '../fs.ts'
import { seededRandom, type Random } from './random.ts'

const SECTOR_BYTES = 512

type Change =
  | { readonly kind: 'write'; readonly position: number; readonly bytes: Uint8Array }
  | { readonly kind: 'truncate'; readonly sizeBytes: number }
type EntryChange = (entries: Map<string, Node>) => void

interface FileNode {
  readonly kind: 'file'
  live: Uint8Array
  durable: Uint8Array
  /** From durable to live, oldest first; a failed sync empties it without effect. */
  unsynced: Change[]
}

interface DirectoryNode {
  readonly kind: 'directory'
  readonly live: Map<string, Node>
  readonly durable: Map<string, Node>
  unsynced: EntryChange[]
}

type Node = FileNode | DirectoryNode

/** One operation that changes the disk, or makes a change durable. */
export interface Step {
  /** From 0. */
  readonly index: number
  readonly operation:
    | 'create'
    | 'write'
    | 'sync'
    | 'truncate'
    | 'makeDirectory'
    | 'rename'
    | 'remove'
    | 'syncDirectory'
  readonly path: string
}

/** The fault at a step: 'crash' (neither this step nor a later one happens), or an error code such as EIO. */
export type Fault = 'crash' | 'ENOSPC' | 'EIO' | 'EMFILE'

/** Thrown by every operation after a crash: the process under test is dead, so nothing may depend on it. */
export class Crashed extends Error {}

export interface FaultyFsOptions {
  /** Asked at every step. */
  readonly faultAt?: (step: Step) => Fault | undefined
}

export class FaultyFs implements Fs {
  /** The most bytes of all files together; a larger write is cut short, then fails with ENOSPC. */
  capacityBytes = Infinity
  /** Further ones are refused with EMFILE; a directory is open while it is synced. */
  openFilesMax = Infinity
  faultAt: (step: Step) => Fault | undefined
  stepCount = 0
  readonly #root: DirectoryNode
  readonly #openFiles = new Map<number, { readonly node: FileNode; readonly path: string }>()
  #nextFd = 3
  #hasCrashed = false

  constructor(options: FaultyFsOptions = {}, root: DirectoryNode = newDirectory()) {
    this.faultAt = options.faultAt ?? (() => undefined)
    this.#root = root
  }

  get usedBytes(): number {
    return bytesIn(this.#root)
  }

  /** Descriptors that are not closed. */
  get openFileCount(): number {
    return this.#openFiles.size
  }

  get hasCrashed(): boolean {
    return this.#hasCrashed
  }

  /** The disk after a kill: the page cache survives. */
  afterKill(): FaultyFs {
    this.#hasCrashed = true
    return new FaultyFs({}, this.#root)
  }

  /** The disk after a power failure: chance decides about unsynced changes. */
  afterPowerCut(seed: number): FaultyFs {
    this.#hasCrashed = true
    return new FaultyFs({}, survivor(this.#root, seededRandom(seed)) as DirectoryNode)
  }

  open(path: string, mode: OpenMode): number {
    this.#alive()
    if (this.openFileCount >= this.openFilesMax) throw errno('EMFILE', path)
    const parent = this.#directory(posix.dirname(path))
    const name = posix.basename(path)
    let node = parent.live.get(name)
    if (node?.kind === 'directory') throw errno('EISDIR', path)
    if (node && mode === 'create') throw errno('EEXIST', path)
    if (!node && (mode === 'read' || mode === 'write')) throw errno('ENOENT', path)
    if (!node) {
      this.#step('create', path)
      node = { kind: 'file', live: new Uint8Array(0), durable: new Uint8Array(0), unsynced: [] }
      const created = node
      this.#changeEntries(parent, (entries) => entries.set(name, created))
    } else if (mode === 'replace') {
      this.#step('truncate', path)
      change(node, { kind: 'truncate', sizeBytes: 0 })
    }
    const fd = this.#nextFd++
    this.#openFiles.set(fd, { node, path })
    return fd
  }

  close(fd: number): void {
    this.#file(fd)
    this.#openFiles.delete(fd)
  }

  read(fd: number, into: Uint8Array, position: number): number {
    const bytes = this.#file(fd).node.live.subarray(position, position + into.length)
    into.set(bytes)
    return bytes.length
  }

  async readAsync(fd: number, into: Uint8Array, position: number): Promise<number> {
    return this.read(fd, into, position)
  }

  write(fd: number, bytes: Uint8Array, position: number): number {
    const { node, path } = this.#file(fd)
    this.#writeStep(node, path, bytes, position)
    const growth = position + bytes.length - node.live.length
    const room = Math.max(0, this.capacityBytes - this.usedBytes)
    const count = bytes.length - Math.max(0, growth - room)
    if (count <= 0 && bytes.length > 0) throw errno('ENOSPC', path)
    change(node, { kind: 'write', position, bytes: bytes.slice(0, count) })
    return count
  }

  writev(fd: number, pieces: readonly Uint8Array[], position: number): number {
    return this.write(fd, Buffer.concat(pieces), position)
  }

  sync(fd: number): void {
    const { node, path } = this.#file(fd)
    try {
      this.#step('sync', path)
      node.durable = node.unsynced.reduce(changed, node.durable)
    } finally {
      if (!this.#hasCrashed) node.unsynced = [] // even when it fails, because the pages are marked clean
    }
  }

  syncDirectory(path: string): void {
    const node = this.#directory(path)
    if (this.openFileCount >= this.openFilesMax) throw errno('EMFILE', path)
    this.#step('syncDirectory', path)
    for (const apply of node.unsynced) apply(node.durable)
    node.unsynced = []
  }

  truncate(fd: number, sizeBytes: number): void {
    const { node, path } = this.#file(fd)
    this.#step('truncate', path)
    change(node, { kind: 'truncate', sizeBytes })
  }

  sizeBytes(fd: number): number {
    return this.#file(fd).node.live.length
  }

  stat(path: string): FileStat | undefined {
    this.#alive()
    const node = this.#find(path)
    if (!node) return undefined
    const sizeBytes = node.kind === 'file' ? node.live.length : 0
    return { sizeBytes, modifiedMs: 0, isDirectory: node.kind === 'directory' }
  }

  readDirectory(path: string): DirectoryEntry[] {
    this.#alive()
    return Array.from(this.#directory(path).live, ([name, node]) => ({
      name,
      isDirectory: node.kind === 'directory',
    }))
  }

  makeDirectory(path: string): void {
    this.#alive()
    const found = this.#find(path)
    if (found?.kind === 'file') throw errno('EEXIST', path)
    if (found) return
    this.makeDirectory(posix.dirname(path))
    this.#step('makeDirectory', path)
    const created = newDirectory()
    this.#changeEntries(this.#directory(posix.dirname(path)), (entries) =>
      entries.set(posix.basename(path), created),
    )
  }

  rename(from: string, to: string): void {
    this.#alive()
    assert.equal(posix.dirname(from), posix.dirname(to), 'renames stay in a directory')
    const parent = this.#directory(posix.dirname(from))
    const node = parent.live.get(posix.basename(from))
    if (!node) throw errno('ENOENT', from)
    this.#step('rename', from)
    this.#changeEntries(parent, (entries) => {
      entries.delete(posix.basename(from))
      entries.set(posix.basename(to), node)
    })
  }

  removeFile(path: string): void {
    this.#alive()
    if (!this.#find(path)) throw errno('ENOENT', path)
    this.#step('remove', path)
    this.#changeEntries(this.#directory(posix.dirname(path)), (entries) =>
      entries.delete(posix.basename(path)),
    )
  }

  removeTree(path: string): void {
    this.#alive()
    const node = this.#find(path)
    if (!node) return
    const names = node.kind === 'directory' ? [...node.live.keys()] : []
    for (const name of names) this.removeTree(posix.join(path, name))
    this.removeFile(path)
  }

  async space(): Promise<DiskSpace> {
    return { freeBytes: this.capacityBytes - this.usedBytes, totalBytes: this.capacityBytes }
  }

  /** The whole contents of a file, to look at or to damage. */
  contentOf(path: string): Uint8Array {
    const node = this.#find(path)
    if (node?.kind !== 'file') throw errno('ENOENT', path)
    return node.live
  }

  /** Puts a file on the disk, durably, as another program would. */
  place(path: string, content: Uint8Array): void {
    const node: FileNode = {
      kind: 'file',
      live: content.slice(),
      durable: content.slice(),
      unsynced: [],
    }
    const parent = this.#directory(posix.dirname(path))
    parent.live.set(posix.basename(path), node)
    parent.durable.set(posix.basename(path), node)
  }

  #alive(): void {
    if (this.#hasCrashed) throw new Crashed('the process is gone')
  }

  #step(operation: Step['operation'], path: string): void {
    this.#alive()
    const fault = this.faultAt({ index: this.stepCount++, operation, path })
    if (fault === 'crash') {
      this.#hasCrashed = true
      throw new Crashed(`crash at ${operation} of ${path}`)
    }
    if (fault) throw errno(fault, path)
  }

  /** A process killed within a write leaves its first part. */
  #writeStep(node: FileNode, path: string, bytes: Uint8Array, position: number): void {
    try {
      this.#step('write', path)
    } catch (error) {
      const half = bytes.slice(0, bytes.length >> 1)
      if (error instanceof Crashed) change(node, { kind: 'write', position, bytes: half })
      throw error
    }
  }

  #find(path: string): Node | undefined {
    let node: Node | undefined = this.#root
    for (const name of path.split('/').filter((part) => part !== '')) {
      if (node?.kind !== 'directory') return undefined
      node = node.live.get(name)
    }
    return node
  }

  #directory(path: string): DirectoryNode {
    const node = this.#find(path)
    if (!node) throw errno('ENOENT', path)
    if (node.kind === 'file') throw errno('ENOTDIR', path)
    return node
  }

  #file(fd: number): { readonly node: FileNode; readonly path: string } {
    this.#alive()
    const open = this.#openFiles.get(fd)
    if (!open) throw errno('EBADF', `descriptor ${fd}`)
    return open
  }

  #changeEntries(directory: DirectoryNode, apply: EntryChange): void {
    apply(directory.live)
    directory.unsynced.push(apply)
  }
}

function bytesIn(node: Node): number {
  if (node.kind === 'file') return node.live.length
  let bytes = 0
  for (const child of node.live.values()) bytes += bytesIn(child)
  return bytes
}

function newDirectory(): DirectoryNode {
  return { kind: 'directory', live: new Map(), durable: new Map(), unsynced: [] }
}

function errno(code: string, path: string): Error {
  return Object.assign(new Error(`${code}: ${path}`), { code })
}

function change(node: FileNode, next: Change): void {
  node.live = changed(node.live, next)
  node.unsynced.push(next)
}

/** @returns the content after the change; `content` may be changed in place when its size stays */
function changed(content: Uint8Array, next: Change): Uint8Array {
  if (next.kind === 'truncate') return resized(content, next.sizeBytes)
  const grown = resized(content, Math.max(content.length, next.position + next.bytes.length))
  grown.set(next.bytes, next.position)
  return grown
}

/** Grows within a larger buffer of its own, so that an append costs only its own bytes. */
function resized(content: Uint8Array, sizeBytes: number): Uint8Array {
  if (sizeBytes === content.length) return content
  const { buffer, byteOffset, length } = content
  if (sizeBytes < length || sizeBytes > buffer.byteLength) {
    const copy = new Uint8Array(new ArrayBuffer(Math.max(1024, 2 * sizeBytes)), 0, sizeBytes)
    copy.set(content.subarray(0, sizeBytes))
    return copy
  }
  assert.equal(byteOffset, 0, 'a content owns its buffer')
  return new Uint8Array(buffer, 0, sizeBytes)
}

/** A node after a power failure, as a new one in which everything is durable. */
function survivor(node: Node, random: Random): Node {
  if (node.kind === 'file') {
    const content = survivingContent(node, random)
    return { kind: 'file', live: content, durable: content.slice(), unsynced: [] }
  }
  const entries = new Map(node.durable)
  // A directory's changes reach the disk in order: the first few of them are there.
  const keptCount = random.below(node.unsynced.length + 1)
  for (const apply of node.unsynced.slice(0, keptCount)) apply(entries)
  const copy = newDirectory()
  for (const [name, child] of entries) {
    const left = survivor(child, random)
    copy.live.set(name, left)
    copy.durable.set(name, left)
  }
  return copy
}

/** Each sector is as it was after some write to it, or before all of them; chance decides about each truncation. */
function survivingContent(node: FileNode, random: Random): Uint8Array {
  const keptShare = [0, 0.5, 0.9, 1][random.below(4)]!
  const isLost = new Map<number, boolean>()
  const kept = node.unsynced.flatMap(sectorsOf).filter((each) => {
    if (each.kind === 'truncate') return random.chance(keptShare)
    const sector = Math.floor(each.position / SECTOR_BYTES)
    const lost = isLost.get(sector) === true || !random.chance(keptShare)
    isLost.set(sector, lost)
    return !lost
  })
  return kept.reduce(changed, node.durable.slice())
}

function sectorsOf(whole: Change): Change[] {
  if (whole.kind === 'truncate') return [whole]
  const { position, bytes } = whole
  const sectors: Change[] = []
  for (let at = 0; at < bytes.length;) {
    const end = at + SECTOR_BYTES - ((position + at) % SECTOR_BYTES)
    sectors.push({ kind: 'write', position: position + at, bytes: bytes.subarray(at, end) })
    at = Math.min(end, bytes.length)
  }
  return sectors
}
