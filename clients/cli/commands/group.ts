// group ls|info|lag|reset|rm. For users: docs/guide/cli.md, "Groups"

import { Option, type Command } from 'commander'
import { KafkaError } from '../../../protocol/errors.ts'
import type { GroupDescription, GroupLag, GroupState } from '../../admin/groups.ts'
import type { Admin } from '../../admin/admin.ts'
import { Call } from '../../call.ts'
import { systemClock } from '../../clock.ts'
import { groupBy } from '../../group-by.ts'
import type { TopicPartition } from '../../topic.ts'
import { confirmed, type ConfirmOptions } from '../confirm.ts'
import { CliError } from '../exit.ts'
import { type CommonOptions, examples, partitionList, shapes } from '../flags.ts'
import { parsePoint, startAtOf } from '../offset-range.ts'
import { choosePartitions, describe } from '../offsets.ts'
import { CLEAR_SCREEN, count, isForPrograms, table, type Shape } from '../print.ts'
import { joined, show as shown, type Paint, type Shown } from '../show.ts'
import { openSession, type Session } from '../session.ts'

export function define(group: Command): void {
  const verb = (name: string, summary: string): Command =>
    shapes(group.command(name).description(summary))

  verb('ls', 'list groups')
    .alias('list')
    .addOption(new Option('--state <state>', 'only groups in this state').choices(states))
    .action(listGroups)
  verb('info', 'show members and their partitions')
    .alias('describe')
    .argument('<group...>')
    .action(showGroups)
  verb('lag', 'show how far a group is behind, by partition')
    .argument('<group...>')
    .option('-w, --watch', `again every ${WATCH_MS / 1_000} s, until ^C`)
    .addHelpText(
      'after',
      examples('millrace group lag audit --watch', 'millrace group lag audit --json | jq .lag'),
    )
    .action(showLag)
  verb('reset', 'move a group that has no members')
    .argument('<group>')
    .requiredOption(
      '--to <place>',
      'start, end, 42, -10, @-1h or @2026-01-31: where the group resumes',
    )
    .option('-t, --topic <topic>', 'only this topic; may be repeated', several)
    .option('-p, --partition <list>', 'only these partitions of the one --topic', partitionList)
    .option('--dry-run', 'only show where it would resume')
    .option('-y, --yes', 'do not ask')
    .addHelpText(
      'after',
      examples(
        'millrace group reset audit --to start --dry-run',
        'millrace group reset audit --to @-1h --yes',
        'millrace group reset audit -t orders -p 0 --to 42',
      ),
    )
    .action(resetGroup)
  verb('rm', 'delete groups and their committed offsets')
    .alias('delete')
    .argument('<group...>')
    .option('--dry-run', 'only show what would be deleted')
    .option('-y, --yes', 'do not ask')
    .action(removeGroups)
}

const states: readonly GroupState[] = [
  'Empty',
  'PreparingRebalance',
  'CompletingRebalance',
  'Stable',
]
const WATCH_MS = 2_000

type GroupOptions = CommonOptions & Shape

interface ResetOptions extends GroupOptions, ConfirmOptions {
  readonly to: string
  readonly topic?: readonly string[]
  readonly partition?: readonly number[]
}

async function listGroups(_: unknown, command: Command): Promise<void> {
  const options = command.optsWithGlobals<GroupOptions & { state?: GroupState }>()
  await using session = await openSession(options)
  const filter = options.state === undefined ? {} : { states: [options.state] }
  const groups = await session.client.admin().groups.list(filter)
  const rows = groups.map(({ group, state, type, protocolType }) => ({
    group,
    state: state ?? null,
    type: type ?? null,
    protocolType: protocolType === '' ? null : protocolType,
  }))
  if (rows.length === 0) session.notes.say('no groups')
  else
    await session.stdout.rows(options, ['GROUP', 'STATE', 'TYPE', 'PROTOCOL'], rows, session.paint)
}

async function showGroups(names: readonly string[], _: unknown, command: Command): Promise<void> {
  const options = command.optsWithGlobals<GroupOptions>()
  await using session = await openSession(options)
  const groups = await known(session.client.admin().groups.describe(names))
  for (const group of groups) {
    await session.stdout.object(options, plainGroup(group), () => groupText(group, session.paint))
  }
}

function plainGroup({ members, ...group }: GroupDescription): object {
  const plainMembers = members.map(
    ({ subscriptionBytes: _, assignmentBytes: __, ...member }) => member,
  )
  return { ...group, members: plainMembers }
}

function groupText(group: GroupDescription, paint: Paint): Shown {
  const { state, protocolType, protocol, coordinator, members } = group
  const about = [state, protocolType, protocol, `coordinator ${coordinator}`]
  const head = shown`${paint('bold', group.group)}  ${about.filter((each) => each !== '').join('  ')}\n`
  if (members.length === 0) return head
  const rows = members.map(({ memberId, instanceId, clientId, host, partitions }) => {
    const reads = partitions === undefined ? undefined : partitionsText(partitions)
    return [memberId, instanceId, clientId, host, reads]
  })
  return joined([head, table(['MEMBER', 'INSTANCE', 'CLIENT', 'HOST', 'READS'], rows, paint)])
}

/** `orders 0,1 totals 3`. */
function partitionsText(partitions: readonly TopicPartition[]): string {
  const topics = groupBy(partitions, ({ topic }) => topic)
  const texts = [...topics].map(
    ([topic, of]) => `${topic} ${of.map(({ partition }) => partition).join(',')}`,
  )
  return texts.length === 0 ? 'nothing' : texts.join(' ')
}

async function showLag(names: readonly string[], _: unknown, command: Command): Promise<void> {
  const options = command.optsWithGlobals<GroupOptions & { watch?: boolean }>()
  await using session = await openSession(options)
  const { groups } = session.client.admin()
  const show = async (): Promise<void> => {
    const lags = await Promise.all(names.map((group) => known(groups.lag(group))))
    if (options.watch === true && !isForPrograms(options) && session.io.stdout.isTTY === true)
      await session.stdout.write(CLEAR_SCREEN)
    for (const lag of lags) await writeLag(lag, options, session)
    await session.stdout.flush()
  }
  await show()
  if (options.watch === true) await repeat(session, show)
}

async function writeLag(
  { group, total, partitions }: GroupLag,
  options: GroupOptions,
  { stdout, paint }: Session,
): Promise<void> {
  const rows = partitions.map(({ topic, partition, committed, end, lag, memberId }) => ({
    topic,
    partition,
    committed: committed ?? null,
    end: end ?? null,
    lag: lag ?? null,
    member: memberId ?? null,
  }))
  const headings = ['TOPIC', 'PARTITION', 'COMMITTED', 'END', 'LAG', 'MEMBER']
  if (isForPrograms(options)) {
    const named = rows.map((row) => ({ group, ...row }))
    return await stdout.rows(options, ['GROUP', ...headings], named, paint)
  }
  await stdout.line(shown`${paint('bold', group)}  ${count(total)} behind`)
  if (rows.length > 0) await stdout.rows(options, headings, rows, paint)
}

/** Runs until ^C, or until the reader of stdout ends. */
async function repeat(session: Session, show: () => Promise<void>): Promise<void> {
  const signal = session.interruptible()
  const call = new Call(systemClock, { signal }, Infinity)
  for (;;) {
    await call.sleep(WATCH_MS).catch(() => {}) // ^C ends it early
    if (signal.aborted) return
    await show()
  }
}

async function resetGroup(group: string, _: unknown, command: Command): Promise<void> {
  const options = command.optsWithGlobals<ResetOptions>()
  const to = startAtOf(parsePoint(options.to, systemClock.now()))
  if (options.partition !== undefined && options.topic?.length !== 1)
    throw new CliError('usage', '-p needs one --topic')
  await using session = await openSession(options)
  const admin = session.client.admin()
  const of = await placesOf(admin, options)
  const plan = await known(admin.groups.reset(group, to, { of, dryRun: true }))
  const rows = plan.map(({ topic, partition, committed, offset }) => ({
    topic,
    partition,
    committed: committed ?? null,
    offset,
  }))
  if (rows.length === 0)
    return session.notes.say(`${group} has committed nothing: say which with --topic`)
  await session.stdout.rows(
    options,
    ['TOPIC', 'PARTITION', 'COMMITTED', 'NEW'],
    rows,
    session.paint,
  )
  if (!(await confirmed(session, options, `Let ${group} go on there?`))) return
  await admin.groups.reset(group, plan)
}

async function placesOf(
  admin: Admin,
  { topic, partition }: ResetOptions,
): Promise<TopicPartition[] | undefined> {
  if (topic === undefined) return undefined
  const topics = await describe(admin, [...new Set(topic)])
  return topics.flatMap((each) =>
    choosePartitions(each, partition).map((chosen) => ({ topic: each.topic, partition: chosen })),
  )
}

async function removeGroups(names: readonly string[], _: unknown, command: Command): Promise<void> {
  const options = command.optsWithGlobals<GroupOptions & ConfirmOptions>()
  await using session = await openSession(options)
  const { groups } = session.client.admin()
  const described = await known(groups.describe(names))
  const rows = described.map(({ group, state, members }) => ({
    group,
    state,
    members: members.length,
  }))
  await session.stdout.rows(options, ['DELETES', 'STATE', 'MEMBERS'], rows, session.paint)
  if (!(await confirmed(session, options, `Delete ${names.join(', ')}?`))) return
  await groups.delete(names)
}

/** @throws {CliError} notFound; the message says how to list groups */
async function known<T>(answer: Promise<T>): Promise<T> {
  try {
    return await answer
  } catch (error) {
    if (!(error instanceof KafkaError) || error.code !== 'GROUP_ID_NOT_FOUND') throw error
    const what = `${error.reason}; millrace group ls lists those that exist`
    throw new CliError('notFound', what, { cause: error })
  }
}

function several(text: string, previous: readonly string[] = []): readonly string[] {
  return [...previous, text]
}
