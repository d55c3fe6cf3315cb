// Der: reads ASN.1 values in their distinguished encoding (X.690), as far as certificates and PKCS12 stores use it: tags of one
// byte, definite lengths. Pure.

export class DerError extends Error {
  override readonly name = 'DerError'
}

/** Tags, with the bit of a constructed value. */
export const tags = {
  integer: 0x02,
  octetString: 0x04,
  oid: 0x06,
  sequence: 0x30,
  set: 0x31,
} as const

/** A tag of the context, of a constructed value: [0], [1]. */
export const contextTag = (number: number): number => 0xa0 | number

/** One value: a view into the bytes that were read. */
export class Der {
  readonly tag: number
  readonly contents: Buffer
  /** Tag and length, too. */
  readonly bytes: Buffer

  private constructor(tag: number, contents: Buffer, bytes: Buffer) {
    this.tag = tag
    this.contents = contents
    this.bytes = bytes
  }

  /** The value at the beginning of `bytes`. @throws {DerError} */
  static read(bytes: Buffer): Der {
    const [tag, first] = bytes
    if (tag === undefined || first === undefined || (tag & 0x1f) === 0x1f)
      throw new DerError('no value in DER')
    const sizeBytes = first < 0x80 ? 0 : first & 0x7f
    if (first === 0x80 || sizeBytes > 4 || bytes.length < 2 + sizeBytes)
      throw new DerError('a length that is not in DER')
    const length = sizeBytes === 0 ? first : bytes.readUIntBE(2, sizeBytes)
    const start = 2 + sizeBytes
    const end = start + length
    if (end > bytes.length) throw new DerError(`${length} bytes announced, too few are there`)
    return new Der(tag, bytes.subarray(start, end), bytes.subarray(0, end))
  }

  /** The values inside a constructed one, in order. @throws {DerError} */
  get children(): Der[] {
    const children: Der[] = []
    for (let at = 0; at < this.contents.length; at += children.at(-1)!.bytes.length)
      children.push(Der.read(this.contents.subarray(at)))
    return children
  }

  /** @throws {DerError} unless this is one value with that tag */
  as(tag: number): this {
    if (this.tag !== tag) throw new DerError(`tag ${this.tag}, not ${tag}`)
    return this
  }

  /** Of a sequence or another constructed value. @throws {DerError} when there is none */
  child(index: number): Der {
    const child = this.children[index]
    if (child === undefined) throw new DerError(`no value ${index}`)
    return child
  }

  /** Of an object identifier: '2.5.4.3'. @throws {DerError} */
  get oid(): string {
    const arcs: bigint[] = []
    let arc = 0n
    for (const byte of this.as(tags.oid).contents) {
      arc = (arc << 7n) | BigInt(byte & 0x7f)
      if (byte >= 0x80) continue
      arcs.push(arc)
      arc = 0n
    }
    const [first = 0n, ...rest] = arcs
    const root = first < 80n ? first / 40n : 2n
    return [root, first - root * 40n, ...rest].join('.')
  }

  /** Of an integer that is not negative. @throws {DerError} */
  get number(): number {
    const { contents } = this.as(tags.integer)
    if (contents.length === 0 || contents.length > 6 || contents[0]! >= 0x80)
      throw new DerError('an integer out of range')
    return contents.readUIntBE(0, contents.length)
  }
}
