// WaitingAnswers: the callbacks that wait for the writer's answers, by ids that count up and are answered nearly in
// order. Network thread.
// A ring, because a Map of short-lived entries leaves a chain of outgrown tables that the young generation's
// collector takes for alive: with a request each, 760 bytes of every request outlived it. Measured:
// docs/decisions/0006

const SLOTS_MIN = 64

export class WaitingAnswers<Answer> {
  /** Its length is a power of 2; the answer with an id lies at the id modulo the length. */
  #slots: (Answer | undefined)[] = emptySlots(SLOTS_MIN)
  /** Smaller ids are answered. */
  #oldestId = 1
  #nextId = 1

  /** The next id of `add`. */
  get nextId(): number {
    return this.#nextId
  }

  /** @returns the answer's id */
  add(answer: Answer): number {
    if (this.#nextId - this.#oldestId === this.#slots.length) this.#grow()
    const id = this.#nextId++
    this.#slots[this.#slotOf(id)] = answer
    return id
  }

  /** @returns the answer, now removed; undefined when there is none with this id */
  take(id: number): Answer | undefined {
    if (id < this.#oldestId || id >= this.#nextId) return undefined
    const slot = this.#slotOf(id)
    const answer = this.#slots[slot]
    this.#slots[slot] = undefined
    this.#forgetTaken()
    return answer
  }

  /** Takes out all answers, oldest first, with their ids. */
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
