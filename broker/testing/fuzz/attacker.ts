// Attacker: connections that send hostile frames, whole, cut off, several at once or a piece at a time. Tests only.

import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { FrameCutter } from '../../../protocol/frame.ts'
import type { HostileFrames } from './hostile-frames.ts'
import type { Honest } from './honest.ts'

const BUNDLE_FRAMES_MAX = 6
const ANSWER_BYTES_MAX = 256 * 1024 * 1024
/** An attacker waits for an answer until the honest clients have got this many: some requests wait for others. */
const PATIENCE_ANSWERS = 30
/** Frames shown when the broker is found dead. */
const LAST_FRAMES = 3

export class Attacker {
  readonly #frames: HostileFrames
  readonly #honest: Honest
  readonly #port: number
  readonly #last: Buffer[] = []
  #socket: Socket | undefined
  /** The broker has answered, or closed the connection. */
  #onHeard = () => {}
  sentCount = 0
  answeredCount = 0

  constructor(frames: HostileFrames, honest: Honest, bootstrap: string) {
    this.#frames = frames
    this.#honest = honest
    this.#port = Number(new URL(`kafka://${bootstrap}`).port)
  }

  /** Its last frames, in hex. */
  lastFrames(): string[] {
    return this.#last.map((frame) => frame.subarray(0, 2000).toString('hex'))
  }

  /** Sends a few frames on a connection, perhaps a new one. */
  async attack(): Promise<void> {
    const socket = await this.#connected()
    const count = 1 + this.#frames.below(BUNDLE_FRAMES_MAX)
    const frames = Array.from({ length: count }, () => Buffer.from(this.#frames.next()))
    this.#last.push(...frames)
    this.#last.splice(0, this.#last.length - LAST_FRAMES)
    this.sentCount += count
    const bytes = Buffer.concat(frames)
    const isCut = this.#frames.chance(0.05)
    await this.#write(socket, isCut ? bytes.subarray(0, this.#frames.below(bytes.length)) : bytes)
    const wanted = this.answeredCount + count
    const heard = new Promise<boolean>((resolve) => {
      this.#onHeard = () => {
        if (socket.destroyed || this.answeredCount >= wanted) resolve(true)
      }
    })
    const isAnswered = await Promise.race([heard, this.#honest.answered(PATIENCE_ANSWERS)])
    if (isCut || !isAnswered || this.#frames.chance(0.05)) this.close()
  }

  close(): void {
    this.#socket?.destroy()
    this.#socket = undefined
  }

  async #connected(): Promise<Socket> {
    if (this.#socket !== undefined && !this.#socket.destroyed) return this.#socket
    const socket = connect(this.#port, '127.0.0.1')
    socket.on('error', () => {})
    const answers = new FrameCutter(ANSWER_BYTES_MAX)
    socket.on('data', (chunk) => {
      answers.push(chunk, () => this.answeredCount++)
      this.#onHeard()
    })
    socket.on('close', () => this.#onHeard())
    this.#socket = socket
    await Promise.race([once(socket, 'connect'), once(socket, 'close')])
    return socket
  }

  async #write(socket: Socket, bytes: Buffer): Promise<void> {
    if (!this.#frames.chance(0.2)) {
      socket.write(bytes)
      return
    }
    for (let at = 0; at < bytes.length;) {
      const end = at + 1 + this.#frames.below(bytes.length)
      socket.write(bytes.subarray(at, end))
      await new Promise(setImmediate)
      at = end
    }
  }
}
