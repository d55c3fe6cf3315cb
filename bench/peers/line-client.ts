// A client for servers that answer in lines (NATS, Redis): requests go out, answers come back in order.

import { once } from 'node:events'
import { connect, type Socket } from 'node:net'

/** The meaning of a line: the answer to the oldest request, its error, a question of the server, or none. */
export type LineMeaning = 'answer' | 'nothing' | { refusal: string } | { reply: string }

export class LineClient implements Disposable {
  readonly #socket: Socket
  readonly #meaningOf: (line: string) => LineMeaning
  readonly #waiting: { resolve: () => void; reject: (error: Error) => void }[] = []
  #rest = ''

  static async connect(
    address: string,
    meaningOf: (line: string) => LineMeaning,
  ): Promise<LineClient> {
    const [host, port] = address.split(':')
    const socket = connect({ host: host!, port: Number(port), noDelay: true })
    await once(socket, 'connect')
    return new LineClient(socket, meaningOf)
  }

  private constructor(socket: Socket, meaningOf: (line: string) => LineMeaning) {
    this.#socket = socket
    this.#meaningOf = meaningOf
    socket.setEncoding('latin1').on('data', (text: string) => this.#receive(text))
    socket.on('error', () => {}) // 'close' follows
    socket.on('close', () => {
      for (const { reject } of this.#waiting.splice(0)) reject(new Error('the connection is lost'))
    })
  }

  call(request: string | Uint8Array): Promise<void> {
    this.send(request)
    return new Promise((resolve, reject) => this.#waiting.push({ resolve, reject }))
  }

  /** The requests without an answer yet. */
  send(text: string | Uint8Array): void {
    this.#socket.write(text)
  }

  #receive(text: string): void {
    const lines = `${this.#rest}${text}`.split('\r\n')
    this.#rest = lines.pop()!
    for (const line of lines) {
      const meaning = this.#meaningOf(line)
      if (meaning === 'nothing') continue
      if (meaning === 'answer') this.#waiting.shift()?.resolve()
      else if ('reply' in meaning) this.send(meaning.reply)
      else this.#waiting.shift()?.reject(new Error(meaning.refusal))
    }
  }

  [Symbol.dispose](): void {
    this.#socket.destroy()
  }
}
