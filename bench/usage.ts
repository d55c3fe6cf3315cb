// The costs of a process, from Linux' /proc: CPU seconds of all its threads, memory now and at most.

import { readdirSync, readFileSync, writeFileSync } from 'node:fs'

/** Linux' unit of CPU time in /proc, independent of the kernel's tick. */
const TICKS_PER_SECOND = 100

/** All NaN without /proc. */
export interface Usage {
  /** User and system time, of all threads. */
  readonly cpuSeconds: number
  readonly rssBytes: number
  /** The peak since the start, or since `forgetPeak`. */
  readonly rssPeakBytes: number
}

export function usageOf(pid: number): Usage {
  try {
    const status = readFileSync(`/proc/${pid}/status`, 'utf8')
    return {
      cpuSeconds: cpuSecondsIn(readFileSync(`/proc/${pid}/stat`, 'utf8')),
      rssBytes: bytesIn(status, 'VmRSS'),
      rssPeakBytes: bytesIn(status, 'VmHWM'),
    }
  } catch {
    return { cpuSeconds: NaN, rssBytes: NaN, rssPeakBytes: NaN }
  }
}

/** Open file descriptors; NaN without /proc. */
export function descriptorCountOf(pid: number): number {
  try {
    return readdirSync(`/proc/${pid}/fd`).length
  } catch {
    return NaN
  }
}

/** Measures the peak from now on. */
export function forgetPeak(pid: number): void {
  try {
    writeFileSync(`/proc/${pid}/clear_refs`, '5')
  } catch {
    // then the peak since the start is measured
  }
}

/** Seconds that all cores together have been busy since the machine started, with any process. */
export function busySeconds(): number {
  try {
    return busySecondsIn(readFileSync('/proc/stat', 'utf8'))
  } catch {
    return NaN
  }
}

/** @param stat the contents of /proc/PID/stat: the process's name, in parentheses, may have spaces */
export function cpuSecondsIn(stat: string): number {
  const fields = stat.replace(/^.*\) /s, '').split(' ')
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND
}

/** @param stat the contents of /proc/stat; guests' time is part of user time, and idle and waiting are not busy */
export function busySecondsIn(stat: string): number {
  const [user, nice, system, , , irq, softirq, steal] = stat
    .split('\n', 1)[0]!
    .split(/\s+/)
    .slice(1)
    .map(Number)
  return (user! + nice! + system! + irq! + softirq! + steal!) / TICKS_PER_SECOND
}

function bytesIn(status: string, name: string): number {
  return Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(status)?.[1]) * 1024
}
