// LoginRoom: what clients that have not logged in hold together, all listeners. It is bounded apart from the rest, so that they
// never keep others from being read. Network thread. Limits: docs/architecture.md, "Overload"

import type { ConfigTable, ConfigView } from '../config-view.ts'

const SHARE = 1 / 8

export const loginLimits = {
  bytesMax: (config) => config['queued.max.request.bytes'] * SHARE,
} as const satisfies ConfigTable

export class LoginRoom {
  readonly #limits: ConfigView<typeof loginLimits>
  #bytesHeld = 0

  constructor(limits: ConfigView<typeof loginLimits>) {
    this.#limits = limits
  }

  /**
   * @param byteCount negative to give back
   * @returns false when that is too much: the connection must be closed, and gives it back
   */
  hold(byteCount: number): boolean {
    this.#bytesHeld += byteCount
    return byteCount <= 0 || this.#bytesHeld <= this.#limits.bytesMax
  }
}
