// CrashWorld: a broker in this process on a disk in memory, with time that stands still and without sockets, so that
// the same calls give the same run. It crashes at a step of the disk, and restarts on the disk that the crash left.
// Tests only.

import { decode } from '../../../protocol/compile.ts'
import { encodeRequestFrame, readResponseHeader } from '../../../protocol/frame.ts'
import type { Api, RequestInput, ResponseOf } from '../../../protocol/schema.ts'
import { Reader } from '../../../protocol/wire.ts'
import { InlineCleanerPort } from '../../../storage/cleaner/worker/cleaner-worker.ts'
import type { Clock } from '../../../storage/clock.ts'
import type { Fs } from '../../../storage/fs.ts'
import { openStore } from '../../../storage/open-store.ts'
import type { Store } from '../../../storage/store.ts'
import type { StoreOptions } from '../../../storage/store-options.ts'
import { FaultyFs } from '../../../storage/testing/faulty-fs.ts'
import { Broker } from '../../broker.ts'
import { readSettings } from '../../config.ts'
import { ProcessLog } from '../../process-log.ts'
import type { AnswerPlace, Dispatch } from '../../call.ts'
import { unlimitedRoom } from '../../unsent.ts'
import { sessionFor } from '../session.ts'
import { VirtualClock } from '../virtual-clock.ts'
import { Gone, type MortalBroker } from './mortal-broker.ts'

const DATA = '/data'

export interface Call {
  readonly api: Api<any, any>
  readonly request: any
  readonly version: number
}

/** Places where a test can plant a bug into the broker; absent ones are correct. */
export interface Flaw {
  fs?(disk: Fs): Fs
  /** @param life 0 for the first start */
  store?(store: Store, life: number): Store
  /** Stands between client and broker. @param next asks the broker */
  answer?(call: Call, next: (call: Call) => Promise<any>): Promise<any>
  /** Called while the broker is dead. */
  whileDown?(disk: FaultyFs): void
}

export interface CrashWorldOptions {
  readonly flaw?: Flaw
  readonly config?: Readonly<Record<string, string>>
}

/** One life of the broker, from its start to its crash. */
interface Life {
  readonly clock: VirtualClock
  readonly crashed: Promise<never>
  readonly crash: () => void
  dispatch: Dispatch | undefined
  isOver: boolean
}

export class CrashWorld implements MortalBroker {
  #disk = new FaultyFs()
  readonly #options: CrashWorldOptions
  #life: Life
  #lifeCount = 0
  #idCount = 0
  #nowMs = 1_700_000_000_000
  #isUp = false
  #up: Promise<void>
  #setUp!: () => void

  private constructor(options: CrashWorldOptions) {
    this.#options = options
    this.#life = newLife(this.#nowMs)
    this.#up = new Promise((resolve) => (this.#setUp = resolve))
  }

  static async open(options: CrashWorldOptions = {}): Promise<CrashWorld> {
    const world = new CrashWorld(options)
    await world.#start()
    return world
  }

  /** Steps of the disk in this life. */
  get stepCount(): number {
    return this.#disk.stepCount
  }

  get hasCrashed(): boolean {
    return this.#life.isOver
  }

  whenUp(): Promise<void> {
    return this.#up
  }

  /** Resolves when this life of the broker is over. */
  whenCrashed(): Promise<void> {
    return this.#life.crashed.catch(() => {})
  }

  /**
   * Cuts the power, or kills the process, at this step of the disk, which does not happen.
   *
   * @param full steps before which the disk is full, and then again
   * @param isByError the first write or sync from there on fails instead, so the broker must end
   */
  crashAt(
    step: number,
    full: readonly [from: number, to: number] = [0, 0],
    isByError = false,
  ): void {
    let hasFailed = false
    this.#disk.faultAt = ({ index, operation }) => {
      if (index < step) {
        const isGrowth = operation === 'write' || operation === 'create'
        return isGrowth && index >= full[0] && index < full[1] ? 'ENOSPC' : undefined
      }
      if (!isByError) {
        this.#die()
        return 'crash'
      }
      if (hasFailed || (operation !== 'write' && operation !== 'sync')) return undefined
      hasFailed = true // the note of the failure, which the next start needs, can be written
      return 'EIO'
    }
  }

  async send<A extends Api<any, any>>(
    api: A,
    request: RequestInput<A>,
    version: number = api.versions.to,
  ): Promise<ResponseOf<A>> {
    const { crashed } = this.#life
    const ask = (call: Call) => this.#ask(call)
    const call = { api, request, version }
    return Promise.race([crashed, this.#options.flaw?.answer?.(call, ask) ?? ask(call)])
  }

  /** Lets time pass in the broker. */
  async pass(ms: number): Promise<void> {
    this.#nowMs += ms
    await this.#life.clock.advance(ms)
  }

  /**
   * Ends this life of the broker if it has not ended, and starts the next.
   *
   * @param how 'kill': all writes are there; a seed: unsynced writes may be there, torn, or gone
   * @param crashAt steps of the disk after which the start itself crashes; then `hasCrashed`
   */
  async restart(how: 'kill' | number, crashAt = Infinity): Promise<void> {
    this.#die()
    this.#disk = how === 'kill' ? this.#disk.afterKill() : this.#disk.afterPowerCut(how)
    this.#options.flaw?.whileDown?.(this.#disk)
    this.#life = newLife(this.#nowMs)
    this.crashAt(crashAt)
    await this.#start()
  }

  #die(): void {
    this.#life.isOver = true
    this.#life.crash()
    if (!this.#isUp) return
    this.#isUp = false
    this.#up = new Promise((resolve) => (this.#setUp = resolve))
  }

  async #start(): Promise<void> {
    const life = this.#life
    const disk = this.#disk
    const lifeNumber = this.#lifeCount++
    const { flaw, config } = this.#options
    const properties = { 'http.port': '-1', 'log.dir': DATA, ...config }
    const opening = Broker.open({
      settings: readSettings([{ origin: 'test', properties }]),
      ephemeral: false,
      onFatal: (error) => {
        if (life.isOver) return
        if (!error.message.includes('EIO')) throw error
        this.#die()
      },
      newId: () => `${++this.#idCount}`,
      clock: mortal(life),
      log: new ProcessLog('silent', life.clock),
      openStore: async (options) => {
        const fs = flaw?.fs?.(disk) ?? disk
        const store = await openStore({ ...options, writer: 'inline', fs, openCleanerPort })
        return flaw?.store?.(store, lifeNumber) ?? store
      },
      openListeners: async (_listeners, { dispatch }) => {
        life.dispatch = dispatch
        return { addresses: { NOWHERE: 'nowhere:0' }, connectionCount: 0, close: async () => {} }
      },
    })
    try {
      await Promise.race([life.crashed, opening])
      this.#isUp = true
      this.#setUp()
    } catch (error) {
      if (!life.isOver) throw error
      opening.catch(() => {}) // it may die in any way
    }
  }

  /** Encodes and decodes the request, as over a socket. */
  #ask({ api, request, version }: Call): Promise<unknown> {
    const { dispatch } = this.#life
    if (dispatch === undefined || this.hasCrashed) return Promise.reject(new Gone('it is down'))
    const frame = Buffer.concat(encodeRequestFrame(api, version, 1, 'test', request))
    const exchange: AnswerPlace = {
      answer: undefined,
      sent: undefined,
      isLast: false,
      room: unlimitedRoom(this.#life.clock),
    }
    return new Promise((resolve, reject) => {
      dispatch.start(frame.subarray(4), exchange, sessionFor(), (failure) => {
        if (failure !== undefined) {
          reject(failure)
          return
        }
        const reader = new Reader(Buffer.concat(exchange.answer!).subarray(4))
        for (const sent of exchange.sent ?? []) sent()
        readResponseHeader(reader, api, version)
        resolve(decode(api.response, version, reader))
      })
    })
  }
}

/**
 * Loaded beforehand: loading takes turns of the loop, and under tap messages between threads, which no seed
 * determines.
 */
const openCleanerPort: NonNullable<StoreOptions['openCleanerPort']> = (deps) =>
  new InlineCleanerPort({ ...deps, seed: new Uint32Array(4) })

function newLife(nowMs: number): Life {
  let crash!: () => void
  const crashed = new Promise<never>((_resolve, reject) => {
    crash = () => reject(new Gone('it crashed'))
  })
  crashed.catch(() => {}) // perhaps no one waits for an answer
  return { clock: new VirtualClock(nowMs), crashed, crash, dispatch: undefined, isOver: false }
}

/** A clock whose timers die with the process. */
function mortal(life: Life): Clock {
  const { clock } = life
  return {
    now: () => clock.now(),
    monotonic: () => clock.monotonic(),
    after: (delayMs, callback) => clock.after(delayMs, () => life.isOver || callback()),
  }
}
