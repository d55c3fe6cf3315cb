// WaitingAnswers: who waits for which answer, by ids that count up and are answered nearly in order. Network thread.
// A ring, since a Map of short-lived entries leaves a chain of outgrown tables that the young generation's collector takes for
// alive: with a request each, 760 bytes of every request outlived it. Measured: docs/decisions/0006

const SLOTS_MIN = 64

export class WaitingAnswers<Answer> {
  /** Of length 2 to the n; the answer that waits under an id lies at the id modulo that. */
  #slots: (Answer | undefined)[] = emptySlots(SLOTS_MIN)
  /** No id before it waits. */
  #oldestId = 1
  #nextId = 1

  /** The id that `add` gives next. */
  get nextId(): number {
    return this.#nextId
  }

  /** @returns its id */
  add(answer: Answer): number {
    if (this.#nextId - this.#oldestId === this.#slots.length) this.#grow()
    const id = this.#nextId++
    this.#slots[this.#slotOf(id)] = answer
    return id
  }

  /** @returns the answer, which waits no longer; undefined when none does under this id */
  take(id: number): Answer | undefined {
    if (id < this.#oldestId || id >= this.#nextId) return undefined
    const slot = this.#slotOf(id)
    const answer = this.#slots[slot]
    this.#slots[slot] = undefined
    this.#forgetTaken()
    return answer
  }

  /** All that wait, oldest first, with their ids; they wait no longer. */
  *takeAll(): Generator<[id: number, answer: Answer]> {
    while (this.#oldestId < this.#nextId) {
      const id = this.#oldestId
      const answer = this.take(id)
      if (answer !== undefined) yield [id, answer]
    }
  }

  #forgetTaken(): void {
    while (this.#oldestId < this.#nextId && this.#slots[this.#slotOf(this.#oldestId)] === undefined)
      this.#oldestId++
  }

  #slotOf(id: number): number {
    return id % this.#slots.length
  }

  #grow(): void {
    const grown = emptySlots<Answer>(2 * this.#slots.length)
    for (let id = this.#oldestId; id < this.#nextId; id++)
      grown[id % grown.length] = this.#slots[this.#slotOf(id)]
    this.#slots = grown
  }
}

function emptySlots<Answer>(count: number): (Answer | undefined)[] {
  return Array.from({ length: count }, () => undefined)
}
