// DiskGuard: stops produce before the disk is full, so that commits, tables, deletes and compaction still find room.
// Network thread. What happens when the disk is full all the same: docs/architecture.md, "What an acknowledgement means"

import type { Clock } from '../../storage/clock.ts'
import type { Store } from '../../storage/store.ts'
import type { BrokerConfig } from '../config.ts'
import type { ProcessLog } from '../process-log.ts'

/** Age limit of the free-space sample. Only produce refreshes it: the first batch after a pause is judged by the old sample and starts a new one. */
const SAMPLE_AGE_MS_MAX = 250

/** Free bytes above the minimum at which a full disk counts as no longer full: room for more than one batch. */
const RESUME_BYTES = 1024 * 1024

export interface DiskGuardDeps {
  readonly store: {
    readonly disk: Store['disk']
    readonly writer: Pick<Store['writer'], 'bytesWaiting'>
  }
  readonly config: Pick<BrokerConfig, 'log.disk.min.free.bytes'>
  readonly clock: Clock
  readonly log: Pick<ProcessLog, 'info' | 'warn'>
}

export class DiskGuard {
  readonly #deps: DiskGuardDeps
  #freeBytes = Infinity
  /** Monotonic. */
  #sampledAtMs = -Infinity
  /** Bytes of batches that passed since the sample, and are not yet in `#freeBytes`. */
  #claimedBytes = 0
  #sampling: Promise<void> | undefined
  #isFull = false

  constructor(deps: DiskGuardDeps) {
    this.#deps = deps
  }

  /**
   * Claims disk space for a batch.
   *
   * @returns why the batch must be refused; undefined when its bytes count as written from now on
   */
  claim(batchBytes: number): string | undefined {
    const { config, clock } = this.#deps
    const freeBytesMin = config['log.disk.min.free.bytes']
    if (freeBytesMin === 0) return undefined
    if (clock.monotonic() - this.#sampledAtMs > SAMPLE_AGE_MS_MAX) void this.#sample()
    const isFull = this.#freeBytes - this.#claimedBytes - batchBytes < this.#wantedBytes
    if (isFull !== this.#isFull) this.#note(isFull)
    if (isFull) return this.#shortage
    this.#claimedBytes += batchBytes
    return undefined
  }

  /** Takes a sample. @returns why nothing can be produced */
  async shortage(): Promise<string | undefined> {
    await this.#sample()
    return this.#freeBytes < Math.max(this.#wantedBytes, 1) ? this.#shortage : undefined
  }

  get #wantedBytes(): number {
    const freeBytesMin = this.#deps.config['log.disk.min.free.bytes']
    return this.#isFull ? freeBytesMin + RESUME_BYTES : freeBytesMin
  }

  get #shortage(): string {
    const freeBytesMin = this.#deps.config['log.disk.min.free.bytes']
    const freeBytes = this.#freeBytes - this.#claimedBytes
    return `the disk is full: ${freeBytes} bytes are free, log.disk.min.free.bytes is ${freeBytesMin}`
  }

  #note(isFull: boolean): void {
    this.#isFull = isFull
    if (isFull) this.#deps.log.warn(`${this.#shortage}; produce is refused until there is room`)
    else this.#deps.log.info('the disk has room again; produce goes on')
  }

  /** Callers share a sample that is under way. */
  #sample(): Promise<void> {
    this.#sampling ??= this.#lookAtDisk().finally(() => {
      this.#sampling = undefined
    })
    return this.#sampling
  }

  async #lookAtDisk(): Promise<void> {
    const { store, clock, log } = this.#deps
    this.#sampledAtMs = clock.monotonic()
    const claimedBefore = this.#claimedBytes
    const waitingBytes = store.writer.bytesWaiting
    try {
      const { freeBytes } = await store.disk.space()
      this.#freeBytes = freeBytes
      this.#claimedBytes += waitingBytes - claimedBefore
      if (this.#isFull) await store.disk.makeRoom()
    } catch (error) {
      log.warn('the disk cannot be looked after', { error })
    }
  }
}
