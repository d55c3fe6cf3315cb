// topic ls|info|offsets|create|alter|rm|trim. For users: docs/guide/cli.md, "Topics"

import type { Command } from 'commander'
import { KafkaError } from '../../../protocol/errors.ts'
import type { Admin, TopicDescription } from '../../admin/admin.ts'
import { Call } from '../../call.ts'
import { systemClock } from '../../clock.ts'
import {
  type CommonOptions,
  type Pair,
  examples,
  pairs,
  partitionList,
  shapes,
  wholeNumber,
} from '../flags.ts'
import { parsePoint, resolvePoint, type Bounds } from '../offset-range.ts'
import {
  boundsOf,
  choosePartitions,
  describe,
  offsetForTime,
  recordCount,
  type BoundsByTopic,
} from '../offsets.ts'
import { alterAndTell } from '../config-change.ts'
import { confirmed } from '../confirm.ts'
import { CliError } from '../exit.ts'
import { table, type Shape } from '../print.ts'
import { joined, show } from '../show.ts'
import { openSession, type Session } from '../session.ts'

/** Values by name; null for a secret. */
type TopicConfig = Readonly<Record<string, string | null>>

export function define(topic: Command): void {
  const verb = (name: string, summary: string): Command =>
    shapes(topic.command(name).description(summary))

  verb('ls', 'list topics')
    .alias('list')
    .option('-a, --all', 'internal topics too')
    .option('--sizes', 'bytes on disk, of all replicas')
    .option('--rates', `records per second, over ${RATE_MS / 1000} s`)
    .action(listTopics)
  verb('info', 'show partitions, offsets and configuration')
    .alias('describe')
    .argument('<topic...>')
    .action(showTopics)
  verb('create', 'create topics')
    .argument('<topic...>')
    .option('-p, --partitions <count>', "default: the broker's num.partitions", wholeNumber(1))
    .option('-r, --replicas <count>', 'for clusters; millrace has one replica', wholeNumber(1))
    .option('-c, --config <name=value>', 'a topic configuration; may be repeated', pairs)
    .option('--if-not-exists', 'an existing topic is no error')
    .option('--dry-run', 'check, create nothing')
    .addHelpText(
      'after',
      examples(
        'millrace topic create orders -p 3 -c retention.ms=86400000',
        'millrace topic create totals -c cleanup.policy=compact',
      ),
    )
    .action(createTopics)
  verb('alter', 'add partitions, change configuration')
    .argument('<topic...>')
    .option('-p, --partitions <count>', 'the new number of partitions', wholeNumber(1))
    .option('-c, --config <name=value>', 'set, `name=` to unset; may be repeated', pairs)
    .option('--dry-run', 'check, change nothing')
    .addHelpText(
      'after',
      examples(
        'millrace topic alter orders -p 6',
        'millrace topic alter orders -c retention.ms=86400000 -c segment.ms=',
      ),
    )
    .action(alterTopics)
  verb('offsets', 'show the offsets of a time or another position')
    .argument('<topic...>')
    .requiredOption('--at <place>', 'start, end, -10, +5, @-1h or @2026-01-31T10:00')
    .option('-p, --partition <list>', 'only these', partitionList)
    .addHelpText('after', examples('millrace topic offsets orders --at @-1h'))
    .action(showOffsets)
  verb('rm', 'delete topics and all their records')
    .alias('delete')
    .argument('<topic...>')
    .option('--dry-run', 'only show what would be deleted')
    .option('-y, --yes', 'do not ask')
    .action(removeTopics)
  verb('trim', 'delete the records before a position')
    .argument('<topic>')
    .requiredOption(
      '--to <place>',
      'end, -10, +5, 42, @-1h or @2026-01-31: the first record that stays',
    )
    .option('-p, --partition <list>', 'only these partitions', partitionList)
    .option('--dry-run', 'only show what would be deleted')
    .option('-y, --yes', 'do not ask')
    .addHelpText(
      'after',
      examples('millrace topic trim logs --to @-7d', 'millrace topic trim logs --to end --yes'),
    )
    .action(trimTopic)
}

type TopicOptions = CommonOptions & Shape

interface Destructive extends TopicOptions {
  readonly dryRun?: boolean
  readonly yes?: boolean
}

const RATE_MS = 2_000

interface ListOptions extends TopicOptions {
  readonly all?: boolean
  readonly sizes?: boolean
  readonly rates?: boolean
}

async function listTopics(_: unknown, command: Command): Promise<void> {
  const options = command.optsWithGlobals<ListOptions>()
  await using session = await openSession(options)
  const admin = session.client.admin()
  const topics = (await admin.listTopics()).filter(
    ({ isInternal }) => options.all === true || !isInternal,
  )
  const names = topics.map(({ topic }) => topic)
  const bounds = await boundsOf(admin, names)
  const sizes = options.sizes === true ? await sizesOf(admin) : undefined
  const rates = options.rates === true ? await ratesOf(admin, names, bounds) : undefined
  const rows = topics.map(({ topic, partitions }) => ({
    topic,
    partitions: partitions.length,
    records: recordCount(bounds.get(topic)!),
    ...(sizes && { bytes: sizes.get(topic) ?? 0 }),
    ...(rates && { recordsPerSecond: rates.get(topic)! }),
  }))
  if (rows.length === 0) session.notes.say('no topics; create one with: millrace topic create NAME')
  else await session.stdout.rows(options, headingsOf(options), rows, session.paint)
}

function headingsOf({ sizes, rates }: ListOptions): string[] {
  const more = [...(sizes === true ? ['BYTES'] : []), ...(rates === true ? ['RECORDS/S'] : [])]
  return ['TOPIC', 'PARTITIONS', 'RECORDS', ...more]
}

/** Bytes on the disks of all brokers, by topic. */
async function sizesOf(admin: Admin): Promise<Map<string, number>> {
  const sizes = new Map<string, number>()
  for (const { partitions } of await admin.logDirs()) {
    for (const { topic, sizeBytes } of partitions)
      sizes.set(topic, (sizes.get(topic) ?? 0) + sizeBytes)
  }
  return sizes
}

/** Records per second, by topic: compares two samples of the offsets. */
async function ratesOf(
  admin: Admin,
  names: readonly string[],
  before: BoundsByTopic,
): Promise<Map<string, number>> {
  const startedAt = systemClock.monotonic()
  await new Call(systemClock, {}, Infinity).sleep(RATE_MS)
  const after = await boundsOf(admin, names)
  const seconds = (systemClock.monotonic() - startedAt) / 1000
  const endOf = (bounds: readonly Bounds[]) => bounds.reduce((sum, { end }) => sum + end, 0)
  return new Map(
    names.map((name) => {
      const written = endOf(after.get(name)!) - endOf(before.get(name)!)
      return [name, Math.round((written / seconds) * 10) / 10]
    }),
  )
}

/** The offset of a position in each partition, like kcat -Q: where `tail -o` would begin. */
async function showOffsets(names: readonly string[], _: unknown, command: Command): Promise<void> {
  const options = command.optsWithGlobals<
    TopicOptions & { at: string; partition?: readonly number[] }
  >()
  const at = parsePoint(options.at, systemClock.now())
  await using session = await openSession(options)
  const admin = session.client.admin()
  const topics = await describe(admin, names)
  const bounds = await boundsOf(admin, names)
  const places = topics.flatMap((description) =>
    choosePartitions(description, options.partition).map((partition) => ({
      topic: description.topic,
      partition,
    })),
  )
  const rows = await Promise.all(
    places.map(async ({ topic, partition }) => {
      const ends = bounds.get(topic)![partition]!
      const byTime = (timestamp: number) => offsetForTime(admin, topic, partition, timestamp)
      return { topic, partition, offset: await resolvePoint(at, ends, byTime) }
    }),
  )
  await session.stdout.rows(options, ['TOPIC', 'PARTITION', 'OFFSET'], rows, session.paint)
}

async function showTopics(names: readonly string[], _: unknown, command: Command): Promise<void> {
  const options = command.optsWithGlobals<TopicOptions>()
  await using session = await openSession(options)
  const admin = session.client.admin()
  const topics = await describe(admin, names)
  const bounds = await boundsOf(admin, names)
  const configs = await Promise.all(names.map((topic) => configOf(admin, topic)))
  for (const [i, topic] of topics.entries()) {
    const config = configs[i]
    if (config === undefined)
      session.notes.say(`${topic.topic}: the configuration needs the right describeConfigs`)
    await showTopic(session, options, topic, bounds.get(topic.topic)!, config)
  }
}

/** What is set on the topic; undefined when the user may not see it. */
async function configOf(admin: Admin, topic: string): Promise<TopicConfig | undefined> {
  try {
    const [{ entries } = { entries: [] }] = await admin.configs.describe([{ topic }])
    const own = entries.filter(({ source }) => source === 'topic')
    return Object.fromEntries(own.map(({ name, value }) => [name, value]))
  } catch (error) {
    if (error instanceof KafkaError && error.code === 'TOPIC_AUTHORIZATION_FAILED') return undefined
    throw error
  }
}

async function showTopic(
  { stdout, paint }: Session,
  options: TopicOptions,
  { topic, id, partitions }: TopicDescription,
  bounds: readonly Bounds[],
  config: TopicConfig | undefined,
): Promise<void> {
  const shown = partitions.map(({ partition, leader, leaderEpoch }, i) => ({
    partition,
    start: bounds[i]!.start,
    end: bounds[i]!.end,
    records: bounds[i]!.end - bounds[i]!.start,
    leader,
    leaderEpoch,
  }))
  const headings = ['PARTITION', 'START', 'END', 'RECORDS', 'LEADER', 'EPOCH']
  await stdout.object(options, { topic, id, config: config ?? null, partitions: shown }, () =>
    joined([
      show`${paint('bold', topic)}  ${paint('dim', id ?? '')}\n`,
      ...Object.entries(config ?? {}).map(
        ([name, value]) => show`${name}=${value ?? '(secret)'}\n`,
      ),
      table(
        headings,
        shown.map((row) => Object.values(row)),
        paint,
      ),
    ]),
  )
}

interface CreateOptions extends TopicOptions {
  readonly partitions?: number
  readonly replicas?: number
  readonly config?: readonly Pair[]
  readonly ifNotExists?: boolean
  readonly dryRun?: boolean
}

async function createTopics(names: readonly string[], _: unknown, command: Command): Promise<void> {
  const options = command.optsWithGlobals<CreateOptions>()
  await using session = await openSession(options)
  const admin = session.client.admin()
  const wanted = options.ifNotExists === true ? await missingOf(admin, names) : names
  if (wanted.length < names.length)
    session.notes.say(`${names.length - wanted.length} of ${names.length} exist already`)
  if (wanted.length === 0) return
  const created = await admin.createTopics(
    wanted.map((topic) => ({
      topic,
      partitions: options.partitions,
      replicationFactor: options.replicas,
      config: Object.fromEntries(options.config ?? []),
    })),
    { validateOnly: options.dryRun },
  )
  const verb = options.dryRun === true ? 'would create' : 'created'
  for (const { topic, partitionCount } of created) {
    const plural = partitionCount === 1 ? '' : 's'
    await session.stdout.object(
      options,
      { topic, partitions: partitionCount },
      () => show`${verb} ${topic} with ${partitionCount} partition${plural}\n`,
    )
  }
}

async function missingOf(admin: Admin, names: readonly string[]): Promise<string[]> {
  const existing = new Set((await admin.listTopics()).map(({ topic }) => topic))
  return names.filter((name) => !existing.has(name))
}

interface AlterOptions extends TopicOptions {
  readonly partitions?: number
  readonly config?: readonly Pair[]
  readonly dryRun?: boolean
}

/** Checks everything before it changes anything. */
async function alterTopics(names: readonly string[], _: unknown, command: Command): Promise<void> {
  const options = command.optsWithGlobals<AlterOptions>()
  const { partitions, config = [], dryRun = false } = options
  if (partitions === undefined && config.length === 0)
    throw new CliError('usage', 'nothing to change: say -p or -c')
  await using session = await openSession(options)
  const admin = session.client.admin()
  const set = Object.fromEntries(config.filter(([, value]) => value !== ''))
  const unset = config.filter(([, value]) => value === '').map(([name]) => name)
  const changes = names.map((topic) => ({ resource: { topic }, set, unset }))
  await admin.configs.alter(changes, { validateOnly: true })
  if (partitions !== undefined) {
    const totals = names.map((topic) => ({ topic, count: partitions }))
    await admin.createPartitions(totals, { validateOnly: true })
    if (!dryRun) await admin.createPartitions(totals)
    const rows = names.map((topic) => ({ topic, partitions }))
    await session.stdout.rows(options, ['TOPIC', 'PARTITIONS'], rows, session.paint)
  }
  if (config.length > 0) await alterAndTell(session, changes, options)
  else if (dryRun) session.notes.say('dry run: nothing was changed')
}

async function removeTopics(names: readonly string[], _: unknown, command: Command): Promise<void> {
  const options = command.optsWithGlobals<Destructive>()
  await using session = await openSession(options)
  const admin = session.client.admin()
  await describe(admin, names) // first, so that a topic that does not exist is reported before the question
  const bounds = await boundsOf(admin, names)
  const rows = names.map((topic) => ({ topic, records: recordCount(bounds.get(topic)!) }))
  await session.stdout.rows(options, ['DELETES', 'RECORDS'], rows, session.paint)
  if (!(await confirmed(session, options, `Delete ${names.join(', ')}?`))) return
  await admin.deleteTopics(names)
}

async function trimTopic(name: string, _: unknown, command: Command): Promise<void> {
  const options = command.optsWithGlobals<
    Destructive & { to: string; partition?: readonly number[] }
  >()
  const to = parsePoint(options.to, systemClock.now())
  await using session = await openSession(options)
  const admin = session.client.admin()
  const [description] = await describe(admin, [name])
  const partitions = choosePartitions(description!, options.partition)
  const bounds = (await boundsOf(admin, [name])).get(name)!
  const trims = await Promise.all(
    partitions.map(async (partition) => {
      const { start } = bounds[partition]!
      const newStart = await resolvePoint(to, bounds[partition]!, (timestamp) =>
        offsetForTime(admin, name, partition, timestamp),
      )
      return { partition, start, newStart, deletes: newStart - start }
    }),
  )
  await session.stdout.rows(
    options,
    ['PARTITION', 'START', 'NEW START', 'DELETES'],
    trims,
    session.paint,
  )
  if (!(await confirmed(session, options, `Delete the records before those offsets of ${name}?`)))
    return
  const needed = trims.filter(({ deletes }) => deletes > 0)
  await admin.deleteRecords(
    needed.map(({ partition, newStart }) => ({ topic: name, partition, offset: newStart })),
  )
}
