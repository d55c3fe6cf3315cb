// Whether a certificate may be used now. Pure.

import type { X509Certificate } from 'node:crypto'

const DAY_MS = 86_400_000
/** Before that somebody must renew it, or in the last fifth of a short life. */
const SOON_MS = 7 * DAY_MS
const SOON_SHARE = 1 / 5

/** 'valid', or what is said of it. */
export type CertificateAge = 'valid' | 'has expired' | 'is not valid yet' | `expires in ${string}`

/** @param now wall time in ms */
export function certificateAge(
  { validFrom, validTo }: X509Certificate,
  now: number,
): CertificateAge {
  const [from, to] = [Date.parse(validFrom), Date.parse(validTo)]
  const leftMs = to - now
  if (leftMs <= 0) return 'has expired'
  if (from > now) return 'is not valid yet'
  if (leftMs > Math.min(SOON_MS, (to - from) * SOON_SHARE)) return 'valid'
  const days = Math.ceil(leftMs / DAY_MS)
  return `expires in ${days === 1 ? '1 day' : `${days} days`}`
}
