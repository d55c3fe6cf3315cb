// Progress of a long command: a line that redraws itself on a terminal, else a line every 10 s. stderr.

import type { Clock, Timer } from '../clock.ts'
import { count, size, type Notes } from './print.ts'

const REDRAW_MS = 100
const LINE_MS = 10_000
const BAR_CELLS = 24

export interface ProgressOptions {
  /** The size of the whole input, if it is known. */
  readonly bytesTotal?: number | undefined
  /** Counts bytes read and no records. */
  readonly isOfBytes?: boolean
  /** The user types the input into the same terminal, so nothing is drawn over it. */
  readonly isTyped?: boolean
}

export class Progress {
  #records = 0
  #drawnAt: number
  #bytes = 0
  #timer: Timer | undefined
  readonly #startedAt: number
  readonly #notes: Notes
  readonly #clock: Clock
  readonly #bytesTotal: number | undefined
  readonly #isOfBytes: boolean

  constructor(notes: Notes, clock: Clock, options: ProgressOptions = {}) {
    const { bytesTotal, isOfBytes = false, isTyped = false } = options
    this.#notes = notes
    this.#clock = clock
    this.#bytesTotal = bytesTotal
    this.#isOfBytes = isOfBytes
    this.#startedAt = this.#drawnAt = clock.monotonic()
    if (!isTyped) this.#schedule()
  }

  add(records: number, bytes: number): void {
    this.#records += records
    this.#bytes += bytes
  }

  /** For work that keeps timers from firing: draws the progress if it is time. */
  poll(): void {
    if (this.#clock.monotonic() - this.#drawnAt >= this.#intervalMs) this.#draw()
  }

  /** Clears the line. */
  stop(): void {
    this.#timer?.cancel()
    this.#notes.redraw('')
  }

  /** `1,000 records, 1.2 MiB, 0.8 s, 1,250/s`, or `1.2 MiB read, 0.8 s, about 3 s left`. */
  summary(): string {
    const seconds = (this.#clock.monotonic() - this.#startedAt) / 1_000
    if (this.#isOfBytes)
      return `${size(this.#bytes)} read, ${seconds.toFixed(1)} s${this.#left(seconds)}`
    const rate = count(Math.round(this.#records / Math.max(seconds, 0.001)))
    return `${count(this.#records)} records, ${size(this.#bytes)}, ${seconds.toFixed(1)} s, ${rate}/s`
  }

  /** An estimate from the bytes so far. */
  #left(seconds: number): string {
    if (this.#bytesTotal === undefined || this.#bytes === 0) return ''
    const left = Math.max(0, seconds * (this.#bytesTotal / this.#bytes - 1))
    return `, about ${Math.ceil(left)} s left`
  }

  #schedule(): void {
    this.#timer = this.#clock.after(this.#intervalMs, () => {
      this.#draw()
      this.#schedule()
    })
  }

  get #intervalMs(): number {
    return this.#notes.isTerminal ? REDRAW_MS : LINE_MS
  }

  #draw(): void {
    this.#drawnAt = this.#clock.monotonic()
    if (this.#notes.isTerminal) this.#notes.redraw(`${this.#bar()}${this.summary()}`)
    else this.#notes.say(this.summary())
  }

  #bar(): string {
    if (this.#bytesTotal === undefined) return ''
    const share = Math.min(this.#bytes / Math.max(this.#bytesTotal, 1), 1)
    const filled = Math.round(share * BAR_CELLS)
    return `${'█'.repeat(filled)}${'░'.repeat(BAR_CELLS - filled)} ${Math.floor(share * 100)}%  `
  }
}
