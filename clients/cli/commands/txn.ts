// txn ls|info|abort. For users: docs/guide/cli.md, "Transactions"

import { Option, type Command } from 'commander'
import { KafkaError } from '../../../protocol/errors.ts'
import { transactionStates } from '../../../protocol/transaction-states.ts'
import type {
  ActiveProducer,
  TransactionAdmin,
  TransactionDescription,
  TransactionState,
} from '../../admin/transactions.ts'
import { confirmed, type ConfirmOptions } from '../confirm.ts'
import { CliError } from '../exit.ts'
import { type CommonOptions, examples, shapes, wholeNumber } from '../flags.ts'
import { describe } from '../offsets.ts'
import { isoTime, table, type Shape } from '../print.ts'
import { joined, show as shown, type Paint, type Shown } from '../show.ts'
import { openSession, type Session } from '../session.ts'

export function define(txn: Command): void {
  const verb = (name: string, summary: string): Command =>
    shapes(txn.command(name).description(summary))

  verb('ls', 'list transactional ids; with --topic, open transactions in its partitions')
    .alias('list')
    .addOption(new Option('--state <state>', 'only those in this state').choices(transactionStates))
    .option('--open-for <seconds>', 'only those that have been open for longer', wholeNumber(0))
    .addOption(
      new Option('-t, --topic <topic>', 'open transactions in the log of this topic').conflicts([
        'state',
        'openFor',
      ]),
    )
    .addHelpText(
      'after',
      examples(
        'millrace txn ls --state Ongoing',
        'millrace txn ls --open-for 60          transactions that hold back readers',
        'millrace txn ls --topic orders         includes transactions that no coordinator knows',
      ),
    )
    .action(list)
  verb('info', 'show transactional ids and their partitions')
    .alias('describe')
    .argument('<id...>')
    .action(show)
  verb('abort', 'abort an open transaction, and fence its producer')
    .argument('[id...]', 'transactional ids')
    .option('-t, --topic <topic>', 'with -p and --producer: a hanging transaction in one partition')
    .option('-p, --partition <number>', 'of --topic', wholeNumber(0))
    .option('--producer <id>', 'the producer id that ls --topic shows', wholeNumber(0))
    .option('--dry-run', 'only show what would be aborted')
    .option('-y, --yes', 'do not ask')
    .addHelpText(
      'after',
      examples(
        'millrace txn abort totals-1 --yes',
        'millrace txn abort -t orders -p 0 --producer 4711 --yes',
      ),
    )
    .action(abort)
}

type TxnOptions = CommonOptions & Shape

interface ListOptions extends TxnOptions {
  readonly state?: TransactionState
  readonly openFor?: number
  readonly topic?: string
}

interface AbortOptions extends TxnOptions, ConfirmOptions {
  readonly topic?: string
  readonly partition?: number
  readonly producer?: number
}

async function list(_: unknown, command: Command): Promise<void> {
  const options = command.optsWithGlobals<ListOptions>()
  await using session = await openSession(options)
  if (options.topic !== undefined) return await listOpenIn(options.topic, session, options)
  const rows = await session.client.admin().transactions.list({
    states: options.state === undefined ? [] : [options.state],
    openForMs: options.openFor === undefined ? undefined : options.openFor * 1000,
  })
  if (rows.length === 0) return session.notes.say('no transactional ids')
  const cells = rows.map(({ transactionalId, producerId, state }) => ({
    transactionalId,
    producerId: options.json === true ? producerId : `${producerId}`,
    state,
  }))
  await session.stdout.rows(options, ['ID', 'PRODUCER', 'STATE'], cells, session.paint)
}

async function listOpenIn(topic: string, session: Session, options: TxnOptions): Promise<void> {
  const admin = session.client.admin()
  await describe(admin, [topic])
  const producers = await admin.transactions.producers([topic])
  const open = producers.filter(({ transactionStartOffset: from }) => from !== undefined)
  if (open.length === 0) return session.notes.say(`no transaction is open in ${topic}`)
  await showOpen(open, session, options)
}

async function showOpen(
  open: readonly ActiveProducer[],
  { stdout, paint }: Session,
  options: TxnOptions,
): Promise<void> {
  const isJson = options.json === true
  const rows = open.map((each) => ({
    topic: each.topic,
    partition: each.partition,
    producerId: isJson ? each.producerId : `${each.producerId}`,
    producerEpoch: each.producerEpoch,
    startOffset: each.transactionStartOffset,
    lastWritten: isJson ? each.lastTimestamp : isoTime(each.lastTimestamp),
  }))
  const headings = ['TOPIC', 'PARTITION', 'PRODUCER', 'EPOCH', 'OPEN SINCE OFFSET', 'LAST WRITTEN']
  await stdout.rows(options, headings, rows, paint)
}

async function show(ids: readonly string[], _: unknown, command: Command): Promise<void> {
  const options = command.optsWithGlobals<TxnOptions>()
  await using session = await openSession(options)
  const described = await known(session.client.admin().transactions.describe(ids))
  for (const each of described) {
    await session.stdout.object(options, each, () => descriptionText(each, session.paint))
  }
}

function descriptionText(each: TransactionDescription, paint: Paint): Shown {
  const { transactionalId, state, producerId, producerEpoch, timeoutMs, startedAt } = each
  const about = [
    state,
    `producer ${producerId} epoch ${producerEpoch}`,
    `timeout ${timeoutMs / 1000} s`,
    startedAt === undefined ? '' : `open since ${isoTime(startedAt)}`,
    `coordinator ${each.coordinator}`,
  ]
  const head = shown`${paint('bold', transactionalId)}  ${about.filter((part) => part !== '').join('  ')}\n`
  const rows = each.partitions.map(({ topic, partition }) => [topic, partition])
  if (rows.length === 0) return head
  return joined([head, table(['WRITES TO', 'PARTITION'], rows, paint)])
}

async function abort(ids: readonly string[], _: unknown, command: Command): Promise<void> {
  const options = command.optsWithGlobals<AbortOptions>()
  const { topic, partition, producer } = options
  const isHanging = topic !== undefined && partition !== undefined && producer !== undefined
  const isHalfHanging =
    !isHanging && [topic, partition, producer].some((each) => each !== undefined)
  if (isHalfHanging || isHanging === ids.length > 0)
    throw new CliError('usage', 'give transactional ids, or --topic, -p and --producer together')
  await using session = await openSession(options)
  const { transactions } = session.client.admin()
  if (isHanging) {
    const what = { topic, partition, producerId: producer }
    const where = `the transaction of producer ${producer} in ${topic}[${partition}]`
    if (await confirmed(session, options, `Abort ${where}?`)) await transactions.abort(what)
  } else await abortIds(ids, transactions, session, options)
}

async function abortIds(
  ids: readonly string[],
  transactions: TransactionAdmin,
  session: Session,
  options: AbortOptions,
): Promise<void> {
  const described = await known(transactions.describe(ids))
  const rows = described.map(({ transactionalId, state, partitions }) => ({
    transactionalId,
    state,
    partitions: partitions.length,
  }))
  await session.stdout.rows(options, ['ABORTS', 'STATE', 'PARTITIONS'], rows, session.paint)
  if (!(await confirmed(session, options, `Abort ${ids.join(', ')}, and fence the producer?`)))
    return
  for (const id of ids) await transactions.abort(id)
}

/** @throws {CliError} notFound; the message says how to list ids */
async function known<T>(answer: Promise<T>): Promise<T> {
  try {
    return await answer
  } catch (error) {
    if (!(error instanceof KafkaError) || error.code !== 'TRANSACTIONAL_ID_NOT_FOUND') throw error
    const what = `${error.reason} is not known; millrace txn ls lists those that are`
    throw new CliError('notFound', what, { cause: error })
  }
}
