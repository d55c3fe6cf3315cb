// config show|set|unset. For users: docs/guide/cli.md, "Configuration"

import type { Command } from 'commander'
import type { ConfigChange, ConfigEntry, ConfigResource } from '../../admin/configs.ts'
import { alterAndTell } from '../config-change.ts'
import { CliError } from '../exit.ts'
import { examples, pairOf, shapes, type CommonOptions } from '../flags.ts'
import { isForPrograms, type Cell, type Shape } from '../print.ts'
import { openSession, type Session } from '../session.ts'

export function define(config: Command): void {
  shapes(config.command('show'))
    .description('show the configuration of the broker or of a topic')
    .argument('[kind]', 'broker or topic', 'broker')
    .argument('[name]', "the topic's name, or the broker's node id")
    .option('--origin', 'show the origin of each value')
    .addHelpText(
      'after',
      examples('millrace config show', 'millrace config show topic orders --origin'),
    )
    .action(show)
  shapes(config.command('set'))
    .description('change the configuration of brokers or of a topic permanently')
    .argument('<kind>', 'broker or topic')
    .argument(
      '<name=value...>',
      "the topic's name, or a node id (none: all brokers), then the settings",
    )
    .option('--dry-run', 'check, change nothing')
    .addHelpText(
      'after',
      examples(
        'millrace config set topic orders retention.ms=86400000 segment.bytes=1048576',
        'millrace config set topic orders cleanup.policy+=compact   adds to a list, -= takes away',
        'millrace config set broker log.retention.ms=3600000',
      ),
    )
    .action((kind: string, rest: readonly string[], _: unknown, command: Command) =>
      change(kind, rest, settingsOf, command),
    )
  shapes(config.command('unset'))
    .description('reset configuration of brokers or of a topic to its default')
    .argument('<kind>', 'broker or topic')
    .argument('<name...>', "the topic's name, or a node id (none: all brokers), then the names")
    .option('--dry-run', 'check, change nothing')
    .addHelpText(
      'after',
      examples(
        'millrace config unset topic orders retention.ms',
        'millrace config unset broker num.partitions',
      ),
    )
    .action((kind: string, rest: readonly string[], _: unknown, command: Command) =>
      change(kind, rest, (unset) => ({ unset }), command),
    )
}

interface ShowOptions extends CommonOptions, Shape {
  readonly origin?: boolean
}

interface ChangeOptions extends CommonOptions, Shape {
  readonly dryRun?: boolean
}

async function show(
  kind: string,
  name: string | undefined,
  _: unknown,
  command: Command,
): Promise<void> {
  const options = command.optsWithGlobals<ShowOptions>()
  await using session = await openSession(options)
  const resource = await shownResource(session, kind, name)
  const [description] = await session.client.admin().configs.describe([resource])
  const entries = description!.entries.toSorted((a, b) => (a.name < b.name ? -1 : 1))
  const rows = entries.map((entry) => rowOf(entry, options))
  const headings = options.origin === true ? ['NAME', 'VALUE', 'ORIGIN'] : ['NAME', 'VALUE']
  await session.stdout.rows(options, headings, rows, session.paint)
}

async function change(
  kind: string,
  rest: readonly string[],
  changeOf: (items: readonly string[]) => Omit<ConfigChange, 'resource'>,
  command: Command,
): Promise<void> {
  const [resource, items] = resourceAndItems(kind, rest)
  if (items.length === 0) throw new CliError('usage', 'expected what to change after the name')
  const wanted = { resource, ...changeOf(items) }
  const options = command.optsWithGlobals<ChangeOptions>()
  await using session = await openSession(options)
  await alterAndTell(session, [wanted], options)
}

/** `broker`, `broker 1` or `topic NAME`, and the arguments after it. @throws {CliError} usage */
function resourceAndItems(
  kind: string,
  rest: readonly string[],
): [ConfigResource, readonly string[]] {
  const [first = ''] = rest
  if (kind === 'topic') {
    if (first.includes('=')) throw new CliError('usage', "expected the topic's name first")
    return [{ topic: first }, rest.slice(1)]
  }
  if (kind !== 'broker') throw unknownKind()
  return isNodeId(first) ? [{ broker: Number(first) }, rest.slice(1)] : [{ broker: 'all' }, rest]
}

/** name=value, name+=item or name-=item. */
function settingsOf(items: readonly string[]): Omit<ConfigChange, 'resource'> {
  const set: Record<string, string> = {}
  const append: Record<string, string> = {}
  const subtract: Record<string, string> = {}
  for (const item of items) {
    const [name, value] = pairOf(item) ?? []
    if (name === undefined || value === undefined)
      throw new CliError('usage', `expected name=value, not '${item}'`)
    if (name.endsWith('+')) append[name.slice(0, -1)] = value
    else if (name.endsWith('-')) subtract[name.slice(0, -1)] = value
    else set[name] = value
  }
  return { set, append, subtract }
}

/** @throws {CliError} usage */
async function shownResource(
  { client }: Session,
  kind: string,
  name: string | undefined,
): Promise<ConfigResource> {
  if (kind === 'topic' && name !== undefined) return { topic: name }
  if (kind !== 'broker') throw unknownKind()
  if (name === undefined) return { broker: (await client.admin().cluster()).controller }
  if (!isNodeId(name)) throw new CliError('usage', `'${name}' is not a node id`)
  return { broker: Number(name) }
}

function isNodeId(text: string): boolean {
  return /^\d+$/.test(text)
}

function unknownKind(): CliError {
  return new CliError('usage', "expected 'broker' or 'topic NAME'")
}

function rowOf(
  { name, value, source, isReadOnly }: ConfigEntry,
  options: ShowOptions,
): Record<string, Cell> {
  if (isForPrograms(options)) return { name, value, origin: source, isReadOnly }
  const shown = value ?? '(secret)'
  return options.origin === true ? { name, shown, source } : { name, shown }
}
