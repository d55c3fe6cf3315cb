// produce: lines, files or NDJSON into a topic. Memory stays the same however long the input is: what is under way is
// bounded by the producer's buffer, and reading waits for it. For users: docs/guide/cli.md, "Producing"

import { createReadStream, statSync } from 'node:fs'
import type { Readable } from 'node:stream'
import { Option, type Command } from 'commander'
import { systemClock } from '../../clock.ts'
import type { ProducerRecord } from '../../topic.ts'
import { Delivery } from '../delivery.ts'
import { CliError } from '../exit.ts'
import { examples, exclusive, pairs, wholeNumber, type CommonOptions, type Pair } from '../flags.ts'
import { unescape } from '../format.ts'
import { lengthPrefixed, lines, pieces, type Values } from '../input.ts'
import { Pace } from '../pace.ts'
import { Progress } from '../progress.ts'
import { recordFromJson, type NewRecord, type ValueCodec } from '../record-json.ts'
import { codecFor, serdeNames, type SerdeName } from '../serdes.ts'
import { openSession } from '../session.ts'

const codecs = ['none', 'gzip', 'snappy', 'lz4', 'zstd'] as const
/** Of one record of --raw: well under the default max.message.bytes. */
const RAW_VALUE_KIB = 512

export function define(command: Command): void {
  command
    .argument('<topic>')
    .argument('[file]', 'default: standard input')
    .addOption(new Option('-k, --key <key>', 'the key of every record').conflicts('keyDelim'))
    .option('-H, --header <name=value>', 'a header of every record; may be repeated', pairs)
    .option('-p, --partition <number>', 'default: chosen by the key', wholeNumber(0))
    .option('-Z, --tombstone', 'an empty value becomes a tombstone (null)')
    .addOption(
      new Option('--serde <name>', 'with --json: how the value becomes bytes').choices(serdeNames),
    )
    .addOption(new Option('-z, --compression <codec>', 'compress batches').choices(codecs))
    .addOption(
      new Option('--acks <acks>', 'what to wait for').choices(['all', '1', '0']).default('all'),
    )
    .option('--rate <count>', 'records per second, at most', wholeNumber(1))
    .addHelpText(
      'after',
      examples(
        'ls | millrace produce files',
        "printf 'ann\\t1\\nbob\\t2\\n' | millrace produce scores --key-delim '\\t'",
        'echo | millrace produce scores -k ann -Z                 deletes ann from a compacted topic',
        'millrace tail a -o start -e --json | millrace produce b --json -z zstd',
        'millrace produce pictures --raw cat.jpg -k cat.jpg',
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
  readonly rate?: number
}

async function produce(
  topic: string,
  file: string | undefined,
  _: unknown,
  command: Command,
): Promise<void> {
  const options = command.optsWithGlobals<Options>()
  const { input, bytesTotal } = openInput(file)
  const codec = options.serde && (await codecFor(options.serde))
  await using session = await openSession(options)
  await using producer = session.client.producer({
    acks: options.acks === 'all' ? 'all' : options.acks === '1' ? 1 : 0,
    compression: options.compression,
  })
  if (file === undefined && process.stdin.isTTY)
    session.notes.say('every line becomes a record; Ctrl-D ends')
  const signal = session.interruptible()
  signal.addEventListener('abort', () => input.destroy())
  const delivery = new Delivery(
    producer,
    topic,
    new Progress(session.notes, systemClock, bytesTotal),
  )
  try {
    for await (const records of recordsFrom(input, options, codec, signal))
      await delivery.send(records)
  } catch (error) {
    if (!signal.aborted) delivery.fail(error as Error)
  }
  await delivery.finish()
  session.notes.say(`${topic}: ${delivery.progress.summary()}`)
  delivery.throwFailure()
}

/** @throws {CliError} notFound */
function openInput(file: string | undefined): { input: Readable; bytesTotal?: number } {
  if (file === undefined) return { input: process.stdin }
  const stat = statSync(file, { throwIfNoEntry: false })
  if (stat === undefined) throw new CliError('notFound', `no file '${file}'`)
  const input = createReadStream(file)
  return stat.isFile() ? { input, bytesTotal: stat.size } : { input }
}

/** What is read, as records, a chunk of input at a time. Holds to --rate; stops between two records on `signal`. */
async function* recordsFrom(
  input: AsyncIterable<Buffer>,
  options: Options,
  codec: ValueCodec | undefined,
  signal: AbortSignal,
): AsyncIterable<ProducerRecord[]> {
  const pace = options.rate === undefined ? undefined : new Pace(options.rate, systemClock)
  let valuesRead = 0
  for await (const values of valuesFrom(input, options)) {
    const records: ProducerRecord[] = []
    for (const value of values) {
      const waitMs = pace?.take() ?? 0
      if (waitMs > 0) {
        yield records.splice(0)
        await pace!.wait(waitMs)
      }
      if (signal.aborted) break
      valuesRead++
      try {
        records.push(recordOf(value, options, codec))
      } catch (error) {
        yield records
        throw new CliError('failed', `line ${valuesRead}: ${(error as Error).message}`, {
          cause: error,
        })
      }
    }
    yield records
  }
}

function valuesFrom(input: AsyncIterable<Buffer>, options: Options): Values {
  if (options.raw === true) return pieces(input, RAW_VALUE_KIB * 1024)
  return options.lengthPrefixed === true ? lengthPrefixed(input) : lines(input)
}

function recordOf(value: Buffer, options: Options, codec: ValueCodec | undefined): ProducerRecord {
  const record: NewRecord =
    options.json === true ? recordFromJson(value.toString(), codec) : keyAndValue(value, options)
  const {
    key,
    header = [],
    partition = options.raw === true && key === undefined ? 0 : undefined,
  } = options
  return {
    ...record,
    ...(key !== undefined && { key: Buffer.from(key) }),
    headers: [...record.headers, ...header],
    partition,
  }
}

function keyAndValue(line: Buffer, { keyDelim, tombstone }: Options): NewRecord {
  const delimiter = keyDelim === undefined ? undefined : unescape(keyDelim)
  const at = delimiter === undefined ? -1 : line.indexOf(delimiter)
  const key = at === -1 ? null : line.subarray(0, at)
  const value = at === -1 ? line : line.subarray(at + Buffer.byteLength(delimiter!))
  return { key, value: tombstone === true && value.length === 0 ? null : value, headers: [] }
}
