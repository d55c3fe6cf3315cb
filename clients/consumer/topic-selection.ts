// TopicSelection: the topics that a consumer reads: those it names, and those of the cluster that match a pattern.

import { types } from 'node:util'
import { KafkaError } from '../../protocol/errors.ts'
import type { Call } from '../call.ts'
import type { Cluster, TopicMetadata } from '../cluster/cluster.ts'
import {
  topic,
  topicOf,
  type Topic,
  type TopicLike,
  type TopicPattern,
  type TopicSelector,
} from '../topic.ts'

export class TopicSelection {
  readonly #cluster: Cluster
  readonly #named: ReadonlyMap<string, Topic>
  readonly #patterns: readonly TopicPattern[]
  /** Topics that a pattern has found. */
  readonly #matched = new Map<string, { readonly topic: Topic; readonly pattern: TopicPattern }>()
  /** The names of the last look-up. */
  #found: readonly string[]
  /** Monotonic ms. */
  #lookedUpAt = -Infinity

  constructor(cluster: Cluster, of: readonly TopicSelector[]) {
    this.#cluster = cluster
    this.#patterns = of.filter(isPattern).map(patternOf)
    const named = of.filter((each) => !isPattern(each)) as TopicLike[]
    this.#named = new Map(named.map(topicOf).map((each) => [each.name, each]))
    this.#found = [...this.#named.keys()]
  }

  get hasPatterns(): boolean {
    return this.#patterns.length > 0
  }

  /** The names of the last look-up; before the first one the named topics. */
  get names(): readonly string[] {
    return this.#found
  }

  /** The topics of the last look-up may have changed. */
  get isStale(): boolean {
    const { clock, options } = this.#cluster
    return this.hasPatterns && clock.monotonic() - this.#lookedUpAt > options.metadataAgeMaxMs
  }

  /** The topic with its serdes. The group's leader may have found it before this member has. */
  topicOf(name: string): Topic {
    return this.#named.get(name) ?? this.#matched.get(name)?.topic ?? topicOf(name)
  }

  /** The topic was deleted. @returns false if the selection knew that */
  forget(name: string): boolean {
    const { length } = this.#found
    this.#found = this.#found.filter((each) => each !== name)
    return this.#found.length < length
  }

  /** Did a pattern find the topic? Then its deletion is no error. */
  isMatched(name: string): boolean {
    return this.#matched.has(name)
  }

  /** Is the other topic the same, or found by the same pattern? */
  isAkin(name: string, other: string): boolean {
    return name === other || this.#matched.get(name)?.pattern.pattern.test(other) === true
  }

  /** @throws {KafkaError} UNKNOWN_TOPIC_OR_PARTITION for a named topic that does not exist */
  async find(call: Call): Promise<TopicMetadata[]> {
    const cluster = this.#cluster
    const named = await Promise.all(
      Array.from(this.#named.keys(), (name) =>
        cluster.retrying(call, () => cluster.findTopic(name, call)),
      ),
    )
    if (!this.hasPatterns) return named
    const all = [...named, ...(await this.#match(call))]
    this.#found = all.map(({ name }) => name)
    this.#lookedUpAt = cluster.clock.monotonic()
    return all
  }

  async #match(call: Call): Promise<TopicMetadata[]> {
    const { topics } = await this.#cluster.retrying(call, () => this.#cluster.describe(null, call))
    const matching = topics.filter((each) => !(each instanceof KafkaError) && this.#matches(each))
    return matching as TopicMetadata[]
  }

  /** Internal topics match no pattern; a named topic keeps its own serdes; the first matching pattern counts. */
  #matches({ name, isInternal }: TopicMetadata): boolean {
    if (isInternal || this.#named.has(name)) return false
    if (this.#matched.has(name)) return true
    const pattern = this.#patterns.find((each) => each.pattern.test(name))
    if (pattern === undefined) return false
    this.#matched.set(name, { topic: { ...pattern, name }, pattern })
    return true
  }
}

function isPattern(selector: TopicSelector): selector is RegExp | TopicPattern {
  return types.isRegExp(selector) || (typeof selector === 'object' && 'pattern' in selector)
}

/** Removes the flags that make a regular expression remember its last match. */
function patternOf(of: RegExp | TopicPattern): TopicPattern {
  const { pattern, ...serdes } = types.isRegExp(of) ? topic(of) : of
  return { ...serdes, pattern: new RegExp(pattern.source, pattern.flags.replace(/[gy]/g, '')) }
}
