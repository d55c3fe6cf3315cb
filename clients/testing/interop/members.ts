// Members of a group of every client, one process each: each prints the partitions that it owns, reads and commits.

import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import type { Client } from '../../index.ts'
import type { MemberArgument } from './node-member.ts'
import { pythonCommand } from './tools.ts'

export const clientNames = ['millrace', 'kafkajs', 'kcat', 'confluent', 'kafka-python'] as const
export type ClientName = (typeof clientNames)[number]

export interface Delivery {
  readonly partition: number
  readonly offset: number
  readonly value: string
  /** ms, comparable between members; kcat does not print it. */
  readonly at: number | undefined
}

export interface Commit {
  /** Offset of the next record, by partition. */
  readonly committed: Readonly<Record<string, number>>
  readonly at: number
}

export interface Ownership {
  readonly owned: readonly number[]
  /** Only from clients that have a callback for it. */
  readonly added?: readonly number[]
  readonly removed?: readonly number[]
}

export class Member {
  readonly client: ClientName
  readonly deliveries: Delivery[] = []
  readonly commits: Commit[] = []
  readonly ownerships: Ownership[] = []
  readonly #child: ChildProcess
  readonly #onLine: () => void
  #stderr = ''

  constructor(client: ClientName, bootstrap: string, argument: MemberArgument, onLine: () => void) {
    this.client = client
    this.#onLine = onLine
    const [command, args] = commandOf(client, bootstrap, argument)
    this.#child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] })
    createInterface(this.#child.stdout!).on('line', (line) => this.#told(line))
    createInterface(this.#child.stderr!).on('line', (line) => this.#complained(line))
  }

  /** The partitions that the member has now, by its last line; undefined before its first assignment. */
  get owned(): readonly number[] | undefined {
    return this.ownerships.at(-1)?.owned
  }

  get values(): string[] {
    return this.deliveries.map(({ value }) => value)
  }

  /** Commits what the member has read, and leaves. @throws {Error} with its output, when it does not end well */
  async stop(): Promise<void> {
    const { exitCode, signalCode } = this.#child
    if (exitCode === null && signalCode === null) {
      this.#child.kill('SIGINT')
      await once(this.#child, 'close')
    }
    if (this.#child.exitCode !== 0)
      throw new Error(`${this.client} ended with ${this.#child.exitCode}: ${this.#stderr}`)
  }

  kill(): void {
    this.#child.kill('SIGKILL')
  }

  #told(text: string): void {
    const line = JSON.parse(text) as Delivery | Commit | Ownership
    if ('value' in line) this.deliveries.push(line)
    else if ('committed' in line) this.commits.push(line)
    else this.ownerships.push(line)
    this.#onLine()
  }

  /** kcat prints its assignment here: `% Group g rebalanced (memberid m): assigned: t [0], t [1]`. */
  #complained(line: string): void {
    const share = /^% Group .* rebalanced \(memberid .*\): (assigned|revoked): (.*)$/.exec(line)
    if (share === null) {
      this.#stderr += `${line}\n`
      return
    }
    const partitions = [...share[2]!.matchAll(/\[(\d+)\]/g)].map(([, number]) => Number(number))
    this.ownerships.push({ owned: share[1] === 'assigned' ? partitions : [] })
    this.#onLine()
  }
}

function commandOf(
  client: ClientName,
  bootstrap: string,
  argument: MemberArgument,
): [command: string, args: string[]] {
  if (client === 'kcat') return ['kcat', kcatArgs(bootstrap, argument)]
  const text = JSON.stringify(argument)
  if (client === 'confluent')
    return pythonCommand('confluent_group.py', [bootstrap, 'member', text])
  if (client === 'kafka-python')
    return pythonCommand('kafka_python_group.py', [bootstrap, 'member', text])
  const script = fileURLToPath(new URL('node-member.js', import.meta.url))
  return [process.execPath, [script, bootstrap, client, text]]
}

/** -u: no output waits in a buffer; -E: kcat continues when a broker is gone. */
function kcatArgs(bootstrap: string, argument: MemberArgument): string[] {
  const settings = {
    'partition.assignment.strategy': argument.assignor,
    'session.timeout.ms': argument.session_ms,
    'heartbeat.interval.ms': 100,
    'auto.commit.interval.ms': 100,
    'auto.offset.reset': 'earliest',
    'reconnect.backoff.max.ms': 200,
  }
  const format = '{"partition":%p,"offset":%o,"value":"%s"}\n'
  const what = ['-G', argument.group, '-b', bootstrap, '-u', '-E', '-f', format]
  const how = Object.entries(settings).flatMap(([name, value]) => ['-X', `${name}=${value}`])
  return [...what, ...how, argument.topic]
}

/** The members of one group, and waits for their output. */
export class Crew implements AsyncDisposable {
  readonly #bootstrap: string
  readonly #argument: MemberArgument
  readonly #members: Member[] = []
  readonly #waits = new Set<() => void>()

  constructor(bootstrap: string, argument: MemberArgument) {
    this.#bootstrap = bootstrap
    this.#argument = argument
  }

  /** All members, former ones included. */
  get members(): readonly Member[] {
    return this.#members
  }

  join(client: ClientName): Member {
    const member = new Member(client, this.#bootstrap, this.#argument, () => this.#look())
    this.#members.push(member)
    return member
  }

  /** Resolves when `isSo` returns true; called at each line of a member. */
  until(isSo: () => boolean): Promise<void> {
    return new Promise((resolve) => {
      const look = (): void => {
        if (!isSo()) return
        this.#waits.delete(look)
        resolve()
      }
      this.#waits.add(look)
      look()
    })
  }

  /** Resolves when each partition has one owner among these members, and each member at least one partition. */
  async shares(partitionCount: number, members: readonly Member[]): Promise<void> {
    const all = Array.from({ length: partitionCount }, (_, i) => i).join()
    await this.until(() => {
      const owned = members.flatMap((each) => each.owned ?? []).sort((a, b) => a - b)
      return owned.join() === all && members.every((each) => (each.owned ?? []).length > 0)
    })
  }

  get readCount(): number {
    return this.#members.reduce((sum, { deliveries }) => sum + deliveries.length, 0)
  }

  /** The values read, with repetitions. */
  get values(): string[] {
    return this.#members.flatMap(({ values }) => values)
  }

  /** Values that any member read after they had been committed. */
  repeatedAfterCommit(): string[] {
    const commits = this.#members.flatMap((each) => each.commits)
    const deliveries = this.#members.flatMap(({ client, deliveries: all }) =>
      all.map((each) => ({ client, ...each })),
    )
    return deliveries
      .filter(({ partition, offset, at }) =>
        commits.some((each) => (each.committed[partition] ?? 0) > offset && each.at < (at ?? 0)),
      )
      .map(({ client, partition, offset }) => `${client}: ${partition}-${offset}`)
  }

  #look(): void {
    for (const look of this.#waits) look()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const member of this.#members) member.kill()
  }
}

/** Sends the numbers from `first` on, evenly over the partitions. @returns them, as text */
export async function sendNumbers(
  client: Client,
  topic: string,
  partitionCount: number,
  first: number,
  count: number,
): Promise<string[]> {
  await using producer = client.producer()
  const values = Array.from({ length: count }, (_, i) => `${first + i}`)
  await producer.send(
    topic,
    values.map((value, i) => ({ value, partition: i % partitionCount })),
  )
  return values
}

export function sorted(values: readonly string[]): string[] {
  return [...values].sort()
}
