// The figures of a bench, and their output: one line per case as soon as it is done, or JSON at the end.

import { execFileSync } from 'node:child_process'
import { statfsSync } from 'node:fs'
import { availableParallelism, cpus, loadavg, release, totalmem } from 'node:os'

export interface Figure {
  readonly name: string
  readonly value: number
  readonly unit: string
  /** The wanted limit; a larger figure is marked with an exclamation mark. */
  readonly atMost?: number
}

export interface Row {
  readonly title: string
  readonly figures: readonly Figure[]
}

export interface Bench {
  readonly name: string
  /** One line: the figure and the load. */
  readonly title: string
  /** @param dir an empty directory for data. @throws {Unavailable} if something that it needs is not installed */
  run(dir: string): Iterable<Row> | AsyncIterable<Row>
}

/** A bench cannot run here; the message says what to install. */
export class Unavailable extends Error {}

export function median(values: readonly number[]): number {
  const ascending = values.toSorted((a, b) => a - b)
  const middle = ascending.length >> 1
  return ascending.length % 2 === 1
    ? ascending[middle]!
    : (ascending[middle - 1]! + ascending[middle]!) / 2
}

const ROUNDS = 10
const ROUND_MS = 40

/** ns of CPU time per call, of all threads (garbage collection too), in the cheapest round: the least disturbed by other load. */
export function nanosecondsOf(call: () => void): number {
  const msOf = (calls: number) => {
    const start = process.cpuUsage()
    for (let i = 0; i < calls; i++) call()
    const { user, system } = process.cpuUsage(start)
    return (user + system) / 1000
  }
  let calls = 1
  while (msOf(calls) < ROUND_MS) calls *= 2
  return (Math.min(...Array.from({ length: ROUNDS }, () => msOf(calls))) * 1e6) / calls
}

/** Three significant digits. */
function number(value: number): string {
  if (!Number.isFinite(value)) return '-'
  const digits = Math.abs(value) >= 100 ? 0 : Math.abs(value) >= 10 ? 1 : 2
  return value.toFixed(digits)
}

const TITLE_WIDTH = 34
const COLUMN_WIDTH = 10

export function heading(bench: Bench): string {
  return `\n${bench.name}: ${bench.title}`
}

/** `title   12.3 MB/s   1.31 CPU-s/GiB! (<= 1.2)` */
export function line({ title, figures }: Row): string {
  const cells = figures.map(({ name, value, unit, atMost }) => {
    const missed = atMost !== undefined && !(value <= atMost)
    const wanted = atMost === undefined ? '' : ` (<= ${atMost})`
    return `${number(value).padStart(COLUMN_WIDTH)} ${unit}${name && ` ${name}`}${missed ? '!' : ''}${wanted}`
  })
  return `  ${title.padEnd(TITLE_WIDTH)}${cells.join(' ')}`
}

/** The machine and versions. */
export function machine(dir: string): Record<string, string> {
  const commit = textOf('git', ['rev-parse', '--short', 'HEAD'])
  const kcat = /librdkafka ([\d.]+)/.exec(textOf('kcat', ['-V']))?.[1]
  return {
    commit: commit || 'unknown',
    node: process.version,
    cpu: `${availableParallelism()} x ${cpus()[0]?.model.trim() ?? 'unknown'}`,
    load: loadavg()
      .map((load) => load.toFixed(1))
      .join(' '), // figures of a busy machine are worth little
    memory: `${Math.round(totalmem() / 2 ** 30)} GiB`,
    kernel: `${process.platform} ${release()}`,
    disk: `${fileSystemOf(dir)} at ${dir}`,
    librdkafka: kcat ?? 'none',
  }
}

function textOf(command: string, args: readonly string[]): string {
  try {
    return execFileSync(command, args, {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    }).trim()
  } catch {
    return ''
  }
}

/** On a file system in memory a sync costs nothing, and figures with sync mean nothing. */
function fileSystemOf(dir: string): string {
  const names: Record<number, string> = {
    0xef53: 'ext4',
    0x58465342: 'xfs',
    0x9123683e: 'btrfs',
    0x01021994: 'tmpfs',
  }
  const { type } = statfsSync(dir)
  return names[type] ?? `file system 0x${type.toString(16)}`
}
