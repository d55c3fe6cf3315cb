// A comparison: a case measures each of its settings once a round, and states the wanted ratios.

import type { Peer, Setting } from './peer.ts'

export interface Metric {
  readonly name: string
  readonly unit: string
  readonly better: 'less' | 'more'
}

/** One round of one setting: values by the metric's name. */
export type Sample = Readonly<Record<string, number>>

/** `of` divided by `to`, in each round. */
export interface RatioWanted {
  readonly metric: string
  readonly of: Setting
  readonly to: Setting
  readonly atMost?: number
  readonly atLeast?: number
}

export interface Case {
  readonly name: string
  /** One line: the load, with its settings. */
  readonly title: string
  readonly settings: readonly Setting[]
  readonly metrics: readonly Metric[]
  readonly ratios: readonly RatioWanted[]
  /** Takes many minutes: runs only by name. */
  readonly isLong?: true
  measure(setting: Setting, world: World): Promise<Sample>
}

/** The environment of a case. */
export interface World {
  /** Scales the amount of work; 1 for figures to publish. */
  readonly scale: number
  /** The server of the setting's kind, which runs through all rounds. */
  peerOf(setting: Setting): Promise<Peer>
  /** An empty directory, which is removed after the round. */
  emptyDir(): string
  /** A file of `count` lines of that many bytes; written once. */
  linesFile(count: number, sizeBytes: number): string
  /** A new topic name. */
  topicName(): string
}
