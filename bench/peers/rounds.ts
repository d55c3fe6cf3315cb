// Runs a case: some rounds to warm up, then rounds that measure each setting once, in an order that reverses each round, so
// that slow changes of the machine disturb all settings alike.

import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { writeRecordLines } from '../kcat.ts'
import { Unavailable } from '../report.ts'
import { busySeconds } from '../usage.ts'
import type { Case, Sample, World } from './case.ts'
import type { Peer, PeerKind, Setting } from './peer.ts'
import { caseResult, type CaseResult } from './results.ts'

const QUIET_MS = 1000

export interface RoundsOptions {
  /** Warm-up rounds: JIT compilers need them, Java's more than one. */
  readonly warmUps: number
  readonly rounds: number
  /** @param round from 1; 0 and less are warm-up rounds */
  readonly onSample?: (setting: Setting, round: number, sample: Sample) => void
  readonly onUnavailable?: (setting: Setting, reason: string) => void
}

/** @throws {Unavailable} if none of its settings can run here */
export async function runCase(
  bench: Case,
  world: PeerWorld,
  { warmUps, rounds, onSample, onUnavailable }: RoundsOptions,
): Promise<CaseResult> {
  const samples = new Map<string, Sample[]>(bench.settings.map(({ name }) => [name, []]))
  const settings = new Set(bench.settings)
  const measure = async (setting: Setting, round: number) => {
    try {
      const sample = await bench.measure(setting, world)
      if (round > 0) samples.get(setting.name)!.push(sample)
      onSample?.(setting, round, sample)
    } catch (error) {
      if (!(error instanceof Unavailable)) throw error
      settings.delete(setting)
      samples.delete(setting.name)
      onUnavailable?.(setting, error.message)
    } finally {
      world.clear()
    }
  }
  let coresOfOthers = 0
  for (let round = 1 - warmUps; round <= rounds; round++) {
    if (round === 1) coresOfOthers = await busyCores()
    const order = round % 2 === 0 ? [...settings].toReversed() : [...settings]
    for (const setting of order) await measure(setting, round)
    if (settings.size === 0) throw new Unavailable('nothing to measure is installed')
  }
  return caseResult(bench, samples, coresOfOthers)
}

/** While none of our processes works. */
async function busyCores(): Promise<number> {
  const before = busySeconds()
  await setTimeout(QUIET_MS)
  return ((busySeconds() - before) * 1000) / QUIET_MS
}

/** The servers of a run, and its files. */
export class PeerWorld implements World, AsyncDisposable {
  readonly scale: number
  readonly #dir: string
  readonly #peers = new Map<PeerKind, Promise<Peer>>()
  readonly #emptyDirs: string[] = []
  readonly #linesFiles = new Set<string>()
  #topicCount = 0

  constructor(dir: string, scale: number) {
    this.#dir = dir
    this.scale = scale
  }

  peerOf({ kind }: Setting): Promise<Peer> {
    let peer = this.#peers.get(kind)
    if (peer === undefined) {
      const dir = join(this.#dir, `peer-${kind.name}`)
      mkdirSync(dir)
      peer = kind.start(dir)
      this.#peers.set(kind, peer)
    }
    return peer
  }

  emptyDir(): string {
    const dir = mkdtempSync(join(this.#dir, 'empty-'))
    this.#emptyDirs.push(dir)
    return dir
  }

  linesFile(count: number, sizeBytes: number): string {
    const path = join(this.#dir, `lines-${count}-${sizeBytes}`)
    if (!this.#linesFiles.has(path)) writeRecordLines(path, count, sizeBytes)
    this.#linesFiles.add(path)
    return path
  }

  topicName(): string {
    return `peers-${++this.#topicCount}`
  }

  /** Deletes the files of a round. */
  clear(): void {
    for (const dir of this.#emptyDirs.splice(0)) rmSync(dir, { recursive: true, force: true })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const peer of this.#peers.values()) {
      const running = await peer.catch(() => undefined) // its failure was reported when a case needed it
      await running?.[Symbol.asyncDispose]()
    }
    this.clear()
  }
}
