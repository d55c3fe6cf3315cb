// Verifies one partition's log: runs a start's recovery on a disk that keeps every change in memory, without trusting
// the checkpoint, and then checks the indexes against the batches. Read only.

import { join } from 'node:path'
import type { Clock } from '../clock.ts'
import { DELETED_SUFFIX, segmentFile, UNFINISHED_SUFFIX } from '../layout.ts'
import { defaultProducerLimits } from '../producers/producer-state.ts'
import { recoverLog, type Recovered } from '../recovery/recover-log.ts'
import type { Fs } from '../fs.ts'
import { readBytes } from '../text-file.ts'
import type { LogConfig, Quarantined } from '../log-facts.ts'
import type { LogCheckpoint } from '../recovery/recovery-checkpoint.ts'
import { OverlayFs } from './overlay-fs.ts'
import { verifyIndexes, type SegmentToVerify } from './verify-indexes.ts'
import { recordFlaws } from './verify-records.ts'

export interface Finding {
  /** 'damage': records are lost, or the disk is wrong. 'note': a crash may leave this, or it was known before. */
  readonly severity: 'damage' | 'note'
  /** File or directory, below the data directory. */
  readonly where: string
  readonly what: string
  /** How a repair mends it; undefined: it does not. */
  readonly repair?: string
}

export interface VerifyLogDeps {
  readonly fs: Fs
  readonly clock: Clock
  readonly dataDir: string
  /** The partition's directory, below the data directory; it exists. */
  readonly directory: string
  readonly config: LogConfig
  readonly checkpoint: LogCheckpoint | undefined
}

export interface VerifiedLog {
  readonly findings: readonly Finding[]
  readonly segmentCount: number
  readonly batchCount: number
  /** Its segments as a start would leave them, on the disk that has the changes. */
  readonly recovered: { readonly fs: Fs; readonly segments: readonly SegmentToVerify[] }
}

export function verifyLog(deps: VerifyLogDeps): VerifiedLog {
  const { fs, clock, dataDir, directory, config, checkpoint } = deps
  const path = join(dataDir, directory)
  const overlay = new OverlayFs(fs)
  const start = recoverLog({
    fs: overlay,
    clock,
    path,
    config,
    checkpoint: checkpoint && withoutTrust(checkpoint),
    distrustsCache: false,
    producerLimits: defaultProducerLimits,
  })
  start.active.release()
  const segments = segmentsOf(path, start).filter(({ path: each }) => fs.stat(`${each}.log`))
  const findings = [
    ...leftovers(overlay, path, directory),
    ...losses(deps, start),
    ...torn(deps, start),
  ]
  let batchCount = 0
  for (const segment of segments) {
    const verified = verifyIndexes(fs, segment)
    batchCount += verified.batchCount
    const name = segmentFile(segment.baseOffset, '.log').slice(0, -'.log'.length)
    // A crash may leave entries of a torn tail.
    const isCertain = segment !== segments.at(-1) || checkpoint?.isClosed === true
    for (const [suffix, what] of verified.flaws) {
      const severity = isCertain ? 'damage' : 'note'
      const where = join(directory, name + suffix)
      findings.push({ severity, where, what, repair: 'made anew from its segment' })
    }
    for (const { baseOffset, what } of recordFlaws(fs, segment)) {
      const where = join(directory, `${name}.log`)
      const told = `the batch at offset ${baseOffset} has records that cannot be read: ${what}`
      findings.push({ severity: 'damage', where, what: told })
    }
    findings.push(...transactionIndex(overlay, fs, join(path, name), join(directory, name)))
  }
  return {
    findings,
    segmentCount: segments.length,
    batchCount,
    recovered: { fs: overlay, segments },
  }
}

/** The checkpoint's log start and durable offset, without its promises about batches. */
export function withoutTrust(checkpoint: LogCheckpoint): LogCheckpoint {
  const segments = checkpoint.segments.filter(({ sizeBytes }) => sizeBytes === 0)
  return { ...checkpoint, isClosed: false, segments }
}

function segmentsOf(path: string, { sealed, active, quarantined }: Recovered): SegmentToVerify[] {
  return [...sealed, active.info].map(({ baseOffset, sizeBytes }) => ({
    baseOffset,
    path: join(path, segmentFile(baseOffset, '.log').slice(0, -'.log'.length)),
    sizeBytes,
    bad: quarantined.filter(({ segmentBaseOffset }) => segmentBaseOffset === baseOffset),
  }))
}

/** Files that a start deletes or finishes without a loss. */
function leftovers(overlay: OverlayFs, path: string, directory: string): Finding[] {
  return overlay.removed.map((file) => ({
    severity: 'note',
    where: join(directory, file.slice(path.length + 1)),
    what: isUnfinished(file) ? 'was left by work that was broken off' : 'is not needed any more',
    repair: file.endsWith('.swap') ? 'takes its place' : 'deleted',
  }))
}

function isUnfinished(file: string): boolean {
  return [DELETED_SUFFIX, UNFINISHED_SUFFIX, '.cleaned', '.swap'].some((end) => file.endsWith(end))
}

function losses({ directory, checkpoint }: VerifyLogDeps, { quarantined }: Recovered): Finding[] {
  return quarantined.map((range): Finding => {
    const { startOffset, endOffset, segmentBaseOffset, startPosition, endPosition } = range
    const isKnown = checkpoint?.quarantined.some((known) => isSame(known, range)) ?? false
    const bytes =
      endPosition > startPosition
        ? `bytes ${startPosition} to ${endPosition}`
        : 'its bytes are gone'
    const what = `offsets ${startOffset} to ${endOffset - 1} cannot be read (${bytes})`
    const where = join(directory, segmentFile(segmentBaseOffset, '.log'))
    if (isKnown) return { severity: 'note', where, what: `${what}; known since an earlier start` }
    const repair = 'set aside, and answered with CORRUPT_MESSAGE; all else is kept'
    return { severity: 'damage', where, what, repair }
  })
}

function isSame(a: Quarantined, b: Quarantined): boolean {
  return a.startOffset === b.startOffset && a.endOffset === b.endOffset
}

function torn({ directory }: VerifyLogDeps, { truncatedBytes, active }: Recovered): Finding[] {
  if (truncatedBytes === 0) return []
  const where = join(directory, segmentFile(active.baseOffset, '.log'))
  const what = `the last ${truncatedBytes} bytes are no whole batch: a write was cut short, and not acknowledged`
  return [{ severity: 'note', where, what, repair: 'cut off' }]
}

function transactionIndex(overlay: Fs, fs: Fs, path: string, where: string): Finding[] {
  const wanted = readBytes(overlay, `${path}.txnindex`) ?? Buffer.alloc(0)
  const found = readBytes(fs, `${path}.txnindex`) ?? Buffer.alloc(0)
  if (wanted.equals(found)) return []
  where += '.txnindex'
  if (wanted.equals(found.subarray(0, wanted.length))) {
    const what = 'has entries for markers that were never written'
    return [{ severity: 'note', where, what, repair: 'cut off' }]
  }
  const what = 'does not say which transactions of its segment were aborted'
  const repair = 'made anew from the log'
  return [{ severity: 'damage', where, what, repair }]
}
