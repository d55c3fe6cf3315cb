// Printed: keeps the output of a command, and lets a test wait for parts of it. For tests.

import { Writable } from 'node:stream'

export class Printed extends Writable {
  #chunks: Buffer[] = []
  #check = (): void => {}

  override _write(chunk: Buffer, _encoding: string, written: () => void): void {
    this.#chunks.push(Buffer.from(chunk)) // the writer uses its memory again
    written()
    this.#check()
  }

  get bytes(): Buffer {
    return Buffer.concat(this.#chunks)
  }

  get text(): string {
    return this.bytes.toString()
  }

  /** Whole lines so far. */
  get lines(): string[] {
    return this.text.split('\n').slice(0, -1)
  }

  /** Waits until the output matches. One wait at a time. */
  until(isSo: (printed: this) => boolean): Promise<void> {
    return new Promise((resolve) => {
      this.#check = () => isSo(this) && resolve()
      this.#check()
    })
  }
}
