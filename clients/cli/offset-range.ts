// OffsetRange: the positions of `tail -o`, `topic trim --to` and `group reset --to`. Pure. For users: docs/guide/cli.md, "Where to start"

import type { StartAt } from '../consumer/bounds.ts'
import { CliError } from './exit.ts'

/** A position in a partition, not yet looked up. */
export type Point =
  | { readonly kind: 'start' }
  | { readonly kind: 'end' }
  | { readonly kind: 'offset'; readonly offset: number }
  | { readonly kind: 'afterStart'; readonly count: number }
  | { readonly kind: 'beforeEnd'; readonly count: number }
  /** ms since the epoch: the first record with this timestamp or a later one. */
  | { readonly kind: 'time'; readonly timestamp: number }

export interface OffsetRange {
  readonly from: Point
  /** Exclusive; undefined: no end. */
  readonly until?: Point
}

/** The ends of a partition at the start of the command. */
export interface Bounds {
  readonly start: number
  readonly end: number
}

const TIME = String.raw`\d{4}-\d\d-\d\d(?:T\d\d:\d\d(?::\d\d(?:\.\d{1,3})?)?(?:Z|[+-]\d\d:\d\d)?)?|-\d+(?:ms|[smhd])|\d{13}|\d{10}`
const POINT = String.raw`start|end|earliest|beginning|latest|@?(?:${TIME})|[-+]?\d+`
const RANGE = new RegExp(`^(${POINT})?(?:(:)(${POINT})?)?$`)
const UNIT_MS = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const

/** Kafka's and kcat's words, and ours. */
const names: Record<string, 'start' | 'end'> = {
  start: 'start',
  earliest: 'start',
  beginning: 'start',
  end: 'end',
  latest: 'end',
}

const EXPECTED = 'expected end, start, -10, +5, 42, 42:99, :end, @-1h, @2026-01-31T10:00Z or @T1:T2'

/**
 * Parse `FROM`, `FROM:UNTIL`, `:UNTIL` or `FROM:`; a bare number is an offset, `@` makes it a time.
 *
 * @param now ms since the epoch, for times such as `@-1h`
 * @throws {CliError} usage
 */
export function parseRange(text: string, now: number): OffsetRange {
  const match = text === '' || text === ':' || text === '@' ? null : RANGE.exec(text)
  if (match === null) throw new CliError('usage', `offset range '${text}': ${EXPECTED}`)
  const [, from, colon, until] = match
  const timed = from?.startsWith('@') ?? false
  return {
    from: from === undefined ? { kind: 'start' } : point(from, now, false),
    ...(colon !== undefined && until !== undefined && { until: point(until, now, timed) }),
  }
}

/** Parse a single position. @throws {CliError} usage */
export function parsePoint(text: string, now: number): Point {
  const { from, until } = parseRange(text, now)
  if (until !== undefined || text.startsWith(':'))
    throw new CliError('usage', `'${text}' is a range, wanted one place`)
  return from
}

/** The position in the form of `admin.groups.reset`, which looks it up. @throws {CliError} usage, for `+5` */
export function startAtOf(point: Point): StartAt {
  switch (point.kind) {
    case 'start':
      return 'earliest'
    case 'end':
      return 'latest'
    case 'offset':
      return point.offset
    case 'beforeEnd':
      return point.count === 0 ? 'latest' : -point.count
    case 'time':
      return new Date(point.timestamp)
    case 'afterStart':
      throw new CliError('usage', `a group takes start, end, 42, -10 or @-1h, not +${point.count}`)
  }
}

/** @param timed the other end of the range was a time, so digits without `@` are one too */
function point(text: string, now: number, timed: boolean): Point {
  const named = names[text]
  if (named !== undefined) return { kind: named }
  if (text.startsWith('@')) return { kind: 'time', timestamp: parseTime(text.slice(1), now) }
  if (timed || /[a-zT]|\d-/.test(text)) return { kind: 'time', timestamp: parseTime(text, now) }
  const count = Math.abs(Number(text))
  if (!Number.isSafeInteger(count)) throw new CliError('usage', `offset ${text} is too large`)
  if (text.startsWith('-')) return { kind: 'beforeEnd', count }
  if (text.startsWith('+')) return { kind: 'afterStart', count }
  return { kind: 'offset', offset: count }
}

function parseTime(text: string, now: number): number {
  const relative = /^-(\d+)(ms|[smhd])$/.exec(text)
  if (relative !== null)
    return now - Number(relative[1]) * UNIT_MS[relative[2] as keyof typeof UNIT_MS]
  if (/^\d{13}$/.test(text)) return Number(text)
  if (/^\d{10}$/.test(text)) return Number(text) * 1_000
  const withZone = /T.*(Z|[+-]\d\d:\d\d)$/.test(text) || !text.includes('T') ? text : `${text}Z`
  const timestamp = text.includes('-') ? Date.parse(withZone) : NaN
  if (Number.isNaN(timestamp)) throw new CliError('usage', `time '${text}': ${EXPECTED}`)
  return timestamp
}

/**
 * The offset of a position in one partition, within its bounds.
 *
 * @param offsetForTime the first offset with that timestamp or a later one; undefined if all are earlier
 */
export async function resolvePoint(
  point: Point,
  bounds: Bounds,
  offsetForTime: (timestamp: number) => Promise<number | undefined>,
): Promise<number> {
  return Math.min(Math.max(await offsetOf(), bounds.start), bounds.end)

  async function offsetOf(): Promise<number> {
    switch (point.kind) {
      case 'start':
        return bounds.start
      case 'end':
        return bounds.end
      case 'offset':
        return point.offset
      case 'afterStart':
        return bounds.start + point.count
      case 'beforeEnd':
        return bounds.end - point.count
      case 'time':
        return (await offsetForTime(point.timestamp)) ?? bounds.end
    }
  }
}
