// Mutations of a frame, as a hostile client might send it. A seed repeats them. Tests only.

/** Changes some bytes, cuts off a few, or makes all of them random; in `scratch`, so valid until the next call. */
export function mutated(bytes: Buffer, scratch: Buffer, random: () => number): Buffer {
  bytes.copy(scratch)
  let length = bytes.length
  const kind = random()
  if (kind < 0.1) {
    length = Math.floor(random() * 64)
    for (let i = 0; i < length; i++) scratch[i] = random() * 256
  } else if (kind < 0.3) length = Math.floor(random() * length)
  const changes = Math.floor(random() * 4)
  for (let i = 0; i < changes; i++)
    scratch[Math.floor(random() * length)] = random() < 0.3 ? 0xff : random() * 256
  return scratch.subarray(0, length)
}

export function pick<T>(list: readonly T[], random: () => number): T {
  return list[Math.floor(random() * list.length)]!
}

/** A seeded source of random numbers from 0 to 1. */
export function mulberry32(start: number): () => number {
  let state = start
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 0x1_0000_0000
  }
}
