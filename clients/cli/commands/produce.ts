// produce: lines, files or NDJSON into a topic. Memory does not grow with the input: the producer's buffer bounds the
// records in flight, and reading waits for it. For users: docs/guide/cli.md, "Producing"

import { createReadStream, statSync } from 'node:fs'
import type { Readable } from 'node:stream'
import { Option, type Command } from 'commander'
import { KafkaError } from '../../../protocol/errors.ts'
import { systemClock } from '../../clock.ts'
import type { ProducerRecord } from '../../topic.ts'
import { bytesOf, Delivery } from '../delivery.ts'
import { CliError, exitOf, explain } from '../exit.ts'
import { examples, exclusive, pairs, wholeNumber, type CommonOptions, type Pair } from '../flags.ts'
import { unescape } from '../format.ts'
import { lengthPrefixed, lineRuns, lines, pieces, type Values } from '../input.ts'
import { Pace } from '../pace.ts'
import { Progress } from '../progress.ts'
import { recordFromJson, type NewRecord } from '../record-json.ts'
import { codecFor, serdeNames, type SerdeName, type ValueCodec } from '../serdes.ts'
import { openSession, type Session } from '../session.ts'

const codecs = ['none', 'gzip', 'snappy', 'lz4', 'zstd'] as const
const READ_BYTES = 256 * 1024
/** Larger batches than the client's: a request costs more than its records. */
const BATCH_BYTES = 256 * 1024
/** The size of one record of --raw: well under the default max.message.bytes. */
const RAW_VALUE_KIB = 512
/** The longest transaction timeout that Kafka's brokers allow by default. */
const TRANSACTION_TIMEOUT_MS = 900_000

export function define(command: Command): void {
  command
    .argument('<topic>')
    .argument('[file]', 'default: standard input')
    .addOption(new Option('-k, --key <key>', 'the key of every record').conflicts('keyDelim'))
    .option('-H, --header <name=value>', 'a header of every record; may be repeated', pairs)
    .option('-p, --partition <number>', 'default: chosen by the key', wholeNumber(0))
    .option('-Z, --tombstone', 'an empty value becomes a tombstone (null)')
    .addOption(
      new Option('--serde <name>', 'with --json: the format of the value').choices(serdeNames),
    )
    .addOption(new Option('-z, --compression <codec>', 'compress batches').choices(codecs))
    .addOption(
      new Option('--acks <acks>', 'which acknowledgement to wait for')
        .choices(['all', '1', '0'])
        .default('all'),
    )
    .addOption(new Option('--txn', 'write the whole input in one transaction').conflicts('acks'))
    .option('--rate <count>', 'records per second, at most', wholeNumber(1))
    .addHelpText(
      'after',
      examples(
        'ls | millrace produce files',
        "printf 'ann\\t1\\nbob\\t2\\n' | millrace produce scores --key-delim '\\t'",
        'echo | millrace produce scores -k ann -Z                 deletes ann from a compacted topic',
        'millrace tail a -o start -e --json | millrace produce b --json -z zstd',
        'millrace produce pictures --raw cat.jpg -k cat.jpg',
        'millrace produce orders day.ndjson --json --txn             aborted if it fails, or at ^C',
      ),
    )
    .action(produce)
  exclusive(command, [
    ['--key-delim <text>', 'a line is KEY, this text, VALUE; \\t is a tab'],
    ['--json', 'the input is NDJSON as tail --json prints it'],
    [
      '--raw',
      `the input is bytes: one record, or several of ${RAW_VALUE_KIB} KiB in one partition`,
    ],
    ['--length-prefixed', 'the input is values, each after its length (4 bytes, big endian)'],
  ])
}

interface Options extends CommonOptions {
  readonly key?: string
  readonly keyDelim?: string
  readonly header?: readonly Pair[]
  readonly partition?: number
  readonly tombstone?: boolean
  readonly json?: boolean
  readonly raw?: boolean
  readonly lengthPrefixed?: boolean
  readonly serde?: SerdeName
  readonly compression?: (typeof codecs)[number]
  readonly acks: 'all' | '1' | '0'
  readonly txn?: boolean
  readonly rate?: number
}

async function produce(
  topic: string,
  file: string | undefined,
  _: unknown,
  command: Command,
): Promise<void> {
  const options = command.optsWithGlobals<Options>()
  const { input, bytesTotal } = openInput(file, options)
  const codec = options.serde && (await codecFor(options.serde))
  await using session = await openSession(options)
  const isTyped = file === undefined && options.io.stdin.isTTY === true
  if (isTyped) session.notes.say('every line becomes a record; Ctrl-D ends')
  const signal = session.interruptible()
  signal.addEventListener('abort', () => input.destroy())
  session.notes.tellTrouble()
  const progress = new Progress(session.notes, systemClock, { bytesTotal, isTyped })
  const load = { topic, input, codec, signal, progress }
  await (options.txn === true
    ? produceTogether(session, load, options)
    : produceEach(session, load, options))
}

/** The input and its options. */
interface Load {
  readonly topic: string
  readonly input: Readable
  readonly codec: ValueCodec | undefined
  /** Aborts at ^C. */
  readonly signal: AbortSignal
  readonly progress: Progress
}

async function produceEach(
  { client, notes }: Session,
  load: Load,
  options: Options,
): Promise<void> {
  const { topic, input, signal, progress } = load
  const { acks, compression } = options
  await using producer = await client.producer({
    acks: acks === 'all' ? 'all' : acks === '1' ? 1 : 0,
    compression,
    batchBytes: BATCH_BYTES,
  })
  const delivery = new Delivery(producer, topic, progress)
  try {
    if (areValues(options)) for await (const some of lineRuns(input)) await delivery.sendLines(some)
    else for await (const some of recordsFrom(load, options)) await delivery.send(some)
  } catch (error) {
    if (!signal.aborted) delivery.fail(error as Error)
  }
  await delivery.finish()
  notes.say(`${topic}: ${progress.summary()}`)
  delivery.throwFailure()
}

/** Writes all of it or nothing. It tries once, because it can read the input only once. */
async function produceTogether(
  { client, notes }: Session,
  load: Load,
  options: Options,
): Promise<void> {
  const { topic, signal, progress } = load
  const { randomUUID } = await import('node:crypto')
  await using producer = await client.transactionalProducer({
    transactionalId: `millrace-produce-${randomUUID()}`,
    transactionTimeoutMs: TRANSACTION_TIMEOUT_MS,
    compression: options.compression,
    batchBytes: BATCH_BYTES,
  })
  try {
    await producer.transaction(
      async (transaction) => {
        for await (const some of recordsFrom(load, options)) {
          await transaction.send(topic, some)
          progress.add(some.length, bytesOf(some))
        }
        signal.throwIfAborted()
      },
      { maxRuns: 1 },
    )
  } catch (error) {
    if (!signal.aborted) throw aborted(error)
    return notes.say(`${topic}: interrupted: aborted, nothing of it is committed`)
  } finally {
    progress.stop()
  }
  notes.say(`${topic}: ${progress.summary()}, committed`)
}

function aborted(error: unknown): unknown {
  if (error instanceof KafkaError && error.code === 'REQUEST_TIMED_OUT') return error // it says what is known
  const message = `aborted, nothing of it is committed: ${explain(error, false)}`
  return new CliError(exitOf(error), message, { cause: error })
}

/** @throws {CliError} notFound */
function openInput(
  file: string | undefined,
  { io }: Options,
): { input: Readable; bytesTotal?: number } {
  if (file === undefined) return { input: io.stdin }
  const stat = statSync(file, { throwIfNoEntry: false })
  if (stat === undefined) throw new CliError('notFound', `no file '${file}'`)
  const input = createReadStream(file, { highWaterMark: READ_BYTES })
  return stat.isFile() ? { input, bytesTotal: stat.size } : { input }
}

/** Reads the input and yields records, a chunk of input at a time. Keeps to --rate; on `signal` it stops between two records. */
async function* recordsFrom(
  { input, codec, signal }: Load,
  options: Options,
): AsyncIterable<ProducerRecord[]> {
  const pace = options.rate === undefined ? undefined : new Pace(options.rate, systemClock)
  const recordOf = recordMaker(options, codec)
  let valuesRead = 0
  for await (const values of valuesFrom(input, options)) {
    const records: ProducerRecord[] = []
    for (const value of values) {
      const waitMs = pace?.take() ?? 0
      if (waitMs > 0) {
        yield records.splice(0)
        await pace!.wait(waitMs)
      }
      if (pace !== undefined && signal.aborted) break
      valuesRead++
      try {
        records.push(recordOf(value))
      } catch (error) {
        yield records
        throw new CliError('failed', `line ${valuesRead}: ${(error as Error).message}`, {
          cause: error,
        })
      }
    }
    yield records
    if (signal.aborted) return
  }
}

/** Is each line a value, and the record nothing else? */
function areValues({ json, raw, lengthPrefixed, ...options }: Options): boolean {
  const { key, keyDelim, header, partition, tombstone, rate } = options
  const others = [json, raw, lengthPrefixed, key, keyDelim, header, partition, tombstone, rate]
  return others.every((option) => option === undefined)
}

function valuesFrom(input: AsyncIterable<Buffer>, options: Options): Values {
  if (options.raw === true) return pieces(input, RAW_VALUE_KIB * 1024)
  return options.lengthPrefixed === true ? lengthPrefixed(input) : lines(input)
}

/** Converts a value of the input to a record; reads the flags once, not for every record. */
function recordMaker(
  options: Options,
  codec: ValueCodec | undefined,
): (value: Buffer) => ProducerRecord {
  const { header = [], partition = options.raw === true && !options.key ? 0 : undefined } = options
  const fixedKey = options.key === undefined ? undefined : Buffer.from(options.key)
  const parse = options.json === true ? parseJson(codec) : parseLine(options)
  if (header.length === 0 && fixedKey === undefined && partition === undefined) return parse
  return (input) => {
    const { key, value, headers = [], timestamp } = parse(input)
    return { key: fixedKey ?? key, value, headers: [...headers, ...header], timestamp, partition }
  }
}

type Parse = (input: Buffer) => Omit<NewRecord, 'headers'> & Partial<NewRecord>

function parseJson(codec: ValueCodec | undefined): Parse {
  return (line) => recordFromJson(line.toString(), codec)
}

function parseLine({ keyDelim, tombstone }: Options): Parse {
  const delimiter = keyDelim === undefined ? undefined : Buffer.from(unescape(keyDelim))
  const orTombstone = (value: Buffer): Buffer | null =>
    tombstone === true && value.length === 0 ? null : value
  return (line) => {
    const at = delimiter === undefined ? -1 : line.indexOf(delimiter)
    if (at === -1) return { key: null, value: orTombstone(line) }
    const value = line.subarray(at + delimiter!.length)
    return { key: line.subarray(0, at), value: orTombstone(value) }
  }
}
