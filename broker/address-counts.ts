// The value of `max.connections.per.ip.overrides`: numbers by address, as `10.0.0.7:100,::1:200`. Pure.

import { canonicalAddress } from '../protocol/canonical-address.ts'
import { listItems } from '../storage/config.ts'

const ITEM = /^\[?([^\]]+)\]?:(\d{1,9})$/

/** @returns by canonical address; undefined for what is no such list. Host names are none: a client has an address */
export function parseAddressCounts(text: string): ReadonlyMap<string, number> | undefined {
  const counts = new Map<string, number>()
  for (const item of listItems(text)) {
    const [, host = '', digits] = ITEM.exec(item) ?? []
    const address = canonicalAddress(host)
    if (address === undefined || digits === undefined) return undefined
    counts.set(address, Number(digits))
  }
  return counts
}
