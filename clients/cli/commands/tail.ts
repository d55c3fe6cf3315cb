// tail: prints records, and follows. For users: docs/guide/cli.md, "Tailing"

import { Option, type Command } from 'commander'
import { systemClock } from '../../clock.ts'
import type { StartAt } from '../../consumer/bounds.ts'
import type { Consumer } from '../../consumer/consumer.ts'
import type { GroupConsumer } from '../../group/group-consumer.ts'
import type { Isolation } from '../../cluster/offsets.ts'
import type { TopicPartition } from '../../topic.ts'
import { announcement, type Span } from '../announcement.ts'
import { CliError, exitCodes } from '../exit.ts'
import { compileFilter, type Predicate } from '../filter.ts'
import { examples, exclusive, partitionList, wholeNumber, type CommonOptions } from '../flags.ts'
import {
  parseRange,
  resolvePoint,
  startAtOf,
  type OffsetRange,
  type Point,
} from '../offset-range.ts'
import { boundsOf, choosePartitions, describe, offsetForTime } from '../offsets.ts'
import { whenReaderGoes, type Notes } from '../print.ts'
import { placed, type PlacedRecord } from '../placed-record.ts'
import { printerFor, type Printer } from '../printers.ts'
import type { RawRecord } from '../record-json.ts'
import { codecFor, serdeNames, type SerdeName, type ValueCodec } from '../serdes.ts'
import { openSession, type Session } from '../session.ts'

export function define(command: Command): void {
  command
    .argument('<topic...>')
    .option('-o, --offset <range>', 'where to begin and end: see below', 'end')
    .option('-n, --count <records>', 'stop after this many records', wholeNumber(1))
    .option('-e, --exit', 'stop at the current end')
    .option('-g, --group <group>', 'read as a member of this group, and commit printed records')
    .option('-p, --partition <list>', '0 or 0,2 or 0-3', partitionList)
    .option('--key <key>', 'only records with this key')
    .option('--grep <regex>', 'only records whose value matches')
    .option(
      '--filter <expr>',
      "only records for which this CEL expression is true: value.cents > 100 && key == 'ann'",
    )
    .option('--read-committed', 'skip records of open and aborted transactions')
    .addOption(new Option('--serde <name>', 'the format of values').choices(serdeNames))
    .addHelpText('after', `\nRanges:\n${ranges}`)
    .addHelpText(
      'after',
      examples(
        'millrace tail orders                     new records',
        'millrace tail orders -o start -e         all records',
        "millrace tail orders -o @-1h --filter 'value.cents > 100'",
        "millrace tail orders -o -10 -f '%d %k %v\\n'",
        'millrace tail orders -o start | head -1',
        'millrace tail orders -g audit            resume where the group stopped; several share the partitions',
        'millrace tail orders -g audit -o start -e  records that the group has not read, then stop',
      ),
    )
    .action(tail)
  exclusive(command, [
    ['-f, --format <text>', '%t %p %o %k %v %h %d{...} %s %S %T %n, as kcat; no newline is added'],
    ['--json', 'NDJSON: topic, partition, offset, timestamp, key, value, headers'],
    ['--raw', "only the values' bytes"],
    ['--length-prefixed', 'each value after its length (4 bytes, big endian)'],
  ])
}

const ranges = `  end, start        the end (default), the beginning
  42, -10, +5       an offset; 10 before the end, 5 after the beginning of each partition
  @-1h, @2026-01-31T10:00, @1769853600
                    the first record from that time on (UTC; also ms since the epoch)
  FROM:UNTIL, :UNTIL, FROM:
                    two of these; stops before UNTIL; :end is start:end
`

interface Options extends CommonOptions {
  readonly offset: string
  readonly count?: number
  readonly exit?: boolean
  readonly group?: string
  readonly partition?: readonly number[]
  readonly key?: string
  readonly grep?: string
  readonly filter?: string
  readonly format?: string
  readonly json?: boolean
  readonly raw?: boolean
  readonly lengthPrefixed?: boolean
  readonly serde?: SerdeName
  readonly readCommitted?: boolean
}

async function tail(names: readonly string[], _: unknown, command: Command): Promise<void> {
  const options = command.optsWithGlobals<Options>()
  const range = parseRange(options.offset, systemClock.now())
  const from = options.group === undefined ? undefined : groupStart(range, options)
  await using session = await openSession(options)
  const codec =
    options.serde && tolerant(await codecFor(options.serde), once(session.notes, 'shown as text'))
  const passes = await compileFilter(
    options,
    codec,
    once(session.notes, 'left out, --filter fails'),
  )
  const printer = printerFor({
    ...options,
    codec,
    forTerminal: options.io.stdout.isTTY === true,
    width: options.io.stdout.columns ?? 80,
    paint: session.paint,
    showTopic: names.length > 1,
  })
  const topics = [...new Set(names)]
  if (from === undefined) {
    await using consumer = await reader(session, topics, range, options)
    session.notes.tellTrouble()
    await print(session, consumer, options, passes, printer)
  } else {
    await using consumer = await member(session, topics, from, options)
    session.notes.tellTrouble()
    await printShared(session, consumer, options, passes, printer)
  }
}

function isolationOf({ readCommitted }: Options): Isolation {
  return readCommitted === true ? 'committed' : 'uncommitted'
}

/** Warns about the first record only. */
function once(notes: Notes, consequence: string): (reason: string) => void {
  let isSaid = false
  return (reason) => {
    if (!isSaid) notes.warn(`a record is ${consequence}: ${reason} (said once)`)
    isSaid = true
  }
}

/** @returns the codec, which shows values that it cannot decode as text */
function tolerant(codec: ValueCodec, onFailure: (reason: string) => void): ValueCodec {
  return {
    fromJson: (json) => codec.fromJson(json),
    toJson(bytes) {
      try {
        return codec.toJson(bytes)
      } catch (error) {
        onFailure((error as Error).message)
        return JSON.stringify(bytes.toString())
      }
    },
  }
}

async function spansOf(
  { client }: Session,
  names: readonly string[],
  range: OffsetRange,
  options: Options,
): Promise<Span[]> {
  const admin = client.admin()
  const topics = await describe(admin, names)
  const bounds = await boundsOf(admin, names, isolationOf(options))
  const partitions = topics.flatMap((topic) =>
    choosePartitions(topic, options.partition).map((partition) => ({
      topic: topic.topic,
      partition,
    })),
  )
  return Promise.all(
    partitions.map(async ({ topic, partition }) => {
      const ends = bounds.get(topic)![partition]!
      const resolve = (point: Point): Promise<number> =>
        resolvePoint(point, ends, (timestamp) => offsetForTime(admin, topic, partition, timestamp))
      const from = await resolve(range.from)
      const until = await untilOf(range.until, options.exit === true, resolve)
      return {
        topic,
        partition,
        from,
        ...(until !== undefined && { until: Math.max(from, until) }),
      }
    }),
  )
}

/** Without --exit, `tail` waits for an offset that does not exist yet. */
async function untilOf(
  until: Point | undefined,
  exitAtEnd: boolean,
  resolve: (point: Point) => Promise<number>,
): Promise<number | undefined> {
  if (until?.kind === 'offset' && !exitAtEnd) return until.offset
  if (until !== undefined) return resolve(until)
  return exitAtEnd ? resolve({ kind: 'end' }) : undefined
}

/** Reads whole partitions, without a group. */
async function reader(
  session: Session,
  topics: readonly string[],
  range: OffsetRange,
  options: Options,
): Promise<Consumer> {
  const spans = await spansOf(session, topics, range, options)
  const spanByPlace = new Map(spans.map((span) => [`${span.topic}-${span.partition}`, span]))
  const spanOf = (of: TopicPartition): Span | undefined =>
    spanByPlace.get(`${of.topic}-${of.partition}`)
  const hasEnd = spans.every(({ until }) => until !== undefined)
  const signal = session.interruptible()
  session.notes.say(announcement(spans))
  return session.client.consumer({
    topics,
    partitions: options.partition,
    from: (of) => spanOf(of)?.from ?? 'earliest',
    until: hasEnd ? (of) => spanOf(of)?.until ?? 0 : undefined,
    isolation: isolationOf(options),
    signal,
  })
}

/** @throws {CliError} usage, for options that a group does not support; @returns where it begins without a commit */
function groupStart({ from, until }: OffsetRange, { partition }: Options): StartAt {
  if (partition !== undefined)
    throw new CliError('usage', '-p and -g exclude each other: a group shares out all partitions')
  if (until !== undefined)
    throw new CliError(
      'usage',
      'with -g, -o is one place, where the group begins if it has committed nothing; -e ends at the end',
    )
  return startAtOf(from)
}

/** Short, because users wait until it has joined, and until other members notice that it was killed. */
const MEMBER_TIMES = { heartbeatIntervalMs: 300, sessionTimeoutMs: 10_000 }

/** Reads the partitions that the group assigns to it. */
async function member(
  { client, io, notes, interruptible }: Session,
  topics: readonly string[],
  from: StartAt,
  options: Options,
): Promise<GroupConsumer> {
  const { group, exit } = options
  await describe(client.admin(), topics)
  const consumer = await client.groupConsumer({
    topics,
    group: group!,
    from,
    until: exit === true ? 'end' : undefined,
    isolation: isolationOf(options),
    signal: interruptible(),
    ...MEMBER_TIMES,
    onAssignment: (assigned) => {
      const spans = assigned.map(({ topic, partition, offset }) => ({
        topic,
        partition,
        from: offset,
      }))
      notes.say(spans.length === 0 ? `${group}: no partition for this member` : announcement(spans))
    },
  })
  // It commits no record that it has not printed. It leaves, so that other members need not wait for the session timeout.
  whenReaderGoes(io, () => void consumer.close().finally(() => io.exit(exitCodes.ok)))
  return consumer
}

async function print(
  { stdout }: Session,
  consumer: Consumer,
  { count }: Options,
  passes: Predicate,
  printer: Printer,
): Promise<void> {
  let left = count ?? Infinity
  const act = (record: PlacedRecord): boolean => {
    if (!passes(record)) return true
    printer(record, stdout)
    return --left > 0 && !stdout.isFull
  }
  for await (const batch of consumer.lazyBatches()) {
    do {
      batch.visit(act)
      if (stdout.isFull) await stdout.flush()
      if (left === 0) return await stdout.flush()
    } while (batch.next())
    await stdout.flush()
  }
}

/** Commits the printed records. */
async function printShared(
  { stdout }: Session,
  consumer: GroupConsumer,
  { count }: Options,
  passes: Predicate,
  printer: Printer,
): Promise<void> {
  let printed = 0
  for await (const { records } of consumer.batches({ maxRecords: 1_000, maxWaitMs: 0 })) {
    for (const [i, record] of records.entries()) {
      if (!passes(record)) continue
      printer(placed(record), stdout)
      if (stdout.isFull) await stdout.flush()
      if (++printed !== count) continue
      await stdout.flush()
      giveBack(consumer, records, i + 1)
      return
    }
    await stdout.flush()
  }
}

/** Seeks back before the records that were not printed, so that the group commits only printed ones. */
function giveBack(
  consumer: GroupConsumer,
  records: readonly RawRecord[],
  printedCount: number,
): void {
  for (const where of consumer.positions()) {
    const isHere = ({ topic, partition }: TopicPartition): boolean =>
      topic === where.topic && partition === where.partition
    const printed = records.slice(0, printedCount).findLast(isHere)
    const unprinted = records.slice(printedCount).find(isHere)
    const offset = printed === undefined ? unprinted?.offset : printed.offset + 1
    if (offset !== undefined) consumer.seek(where, offset)
  }
}
