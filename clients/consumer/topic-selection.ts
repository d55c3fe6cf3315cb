// TopicSelection: which topics a consumer reads: named ones, and those that match a pattern, as the cluster has them now.

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
  /** Of topics that were found by a pattern. */
  readonly #matched = new Map<string, { readonly topic: Topic; readonly pattern: TopicPattern }>()
  /** As last looked up. */
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

  /** Names of all that were found last; at first the named ones. */
  get names(): readonly string[] {
    return this.#found
  }

  /** What was looked up may have changed. */
  get isStale(): boolean {
    const { clock, options } = this.#cluster
    return this.hasPatterns && clock.monotonic() - this.#lookedUpAt > options.metadataAgeMaxMs
  }

  /** Of a topic that was found, or that the leader of a group has found first. */
  topicOf(name: string): Topic {
    return this.#named.get(name) ?? this.#matched.get(name)?.topic ?? topicOf(name)
  }

  /** It is deleted. @returns false when that was known */
  forget(name: string): boolean {
    const { length } = this.#found
    this.#found = this.#found.filter((each) => each !== name)
    return this.#found.length < length
  }

  /** It may come and go without an error. */
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

  /** Internal topics match no pattern; a named topic keeps its own serdes, and of several patterns the first counts. */
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

/** Without the flags that make a regular expression remember where it matched last. */
function patternOf(of: RegExp | TopicPattern): TopicPattern {
  const { pattern, ...serdes } = types.isRegExp(of) ? topic(of) : of
  return { ...serdes, pattern: new RegExp(pattern.source, pattern.flags.replace(/[gy]/g, '')) }
}
