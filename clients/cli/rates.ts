// Rates as people write them: 500KB/s, 1.5MiB/s, 25%. Pure.

import { InvalidArgumentError } from 'commander'

const units: Readonly<Record<string, number>> = {
  '': 1,
  b: 1,
  kb: 1000,
  mb: 1000 ** 2,
  gb: 1000 ** 3,
  kib: 1024,
  mib: 1024 ** 2,
  gib: 1024 ** 3,
}

/** @returns bytes per second. @throws {InvalidArgumentError} */
export function byteRate(text: string): number {
  const [, digits, unit = ''] = /^\s*(\d+(?:\.\d+)?)\s*([a-z]*)(?:\/s)?\s*$/i.exec(text) ?? []
  const factor = Object.hasOwn(units, unit.toLowerCase()) ? units[unit.toLowerCase()] : undefined
  const bytes = Math.round(Number(digits) * (factor ?? NaN))
  if (bytes > 0) return bytes
  throw new InvalidArgumentError('Expected bytes per second above 0, such as 10MB/s or 512KiB.')
}

/** @returns events per second. @throws {InvalidArgumentError} */
export function eventRate(text: string): number {
  const [, digits] = /^\s*(\d+(?:\.\d+)?)(?:\/s)?\s*$/.exec(text) ?? []
  if (Number(digits) > 0) return Number(digits)
  throw new InvalidArgumentError('Expected a number per second above 0, such as 5 or 0.5/s.')
}

/** @throws {InvalidArgumentError} */
export function percentage(text: string): number {
  const [, digits] = /^\s*(\d+(?:\.\d+)?)\s*%?\s*$/.exec(text) ?? []
  if (Number(digits) > 0) return Number(digits)
  throw new InvalidArgumentError('Expected a percentage above 0, such as 50 or 50%.')
}
