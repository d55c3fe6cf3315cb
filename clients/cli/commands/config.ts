// config show. For users: docs/guide/cli.md, "Configuration"

import type { Command } from 'commander'
import type { ConfigEntry, ConfigResource } from '../../admin.ts'
import { CliError } from '../exit.ts'
import { examples, type CommonOptions } from '../flags.ts'
import { table } from '../print.ts'
import { openSession, type Session } from '../session.ts'

export function define(config: Command): void {
  config
    .command('show')
    .description('show the configuration of the broker or of a topic')
    .argument('[kind]', 'broker or topic', 'broker')
    .argument('[name]', "the topic's name, or the broker's node id")
    .option('--origin', 'tell where each value comes from')
    .option('--json', 'one JSON object per line')
    .addHelpText(
      'after',
      examples('millrace config show', 'millrace config show topic orders --origin'),
    )
    .action(show)
}

interface ShowOptions extends CommonOptions {
  readonly origin?: boolean
  readonly json?: boolean
}

async function show(
  kind: string,
  name: string | undefined,
  _: unknown,
  command: Command,
): Promise<void> {
  const options = command.optsWithGlobals<ShowOptions>()
  await using session = await openSession(options)
  const resource = await resourceOf(session, kind, name)
  const [description] = await session.client.admin().describeConfigs([resource])
  const entries = description!.entries.toSorted((a, b) => (a.name < b.name ? -1 : 1))
  await session.stdout.write(
    options.json === true ? entries.map(asJson).join('') : asTable(session, entries, options),
  )
}

/** @throws {CliError} usage */
async function resourceOf(
  { client }: Session,
  kind: string,
  name: string | undefined,
): Promise<ConfigResource> {
  if (kind === 'topic' && name !== undefined) return { topic: name }
  if (kind !== 'broker') throw new CliError('usage', "expected 'broker' or 'topic NAME'")
  if (name === undefined) return { broker: (await client.admin().cluster()).controller }
  if (!/^\d+$/.test(name)) throw new CliError('usage', `'${name}' is not a node id`)
  return { broker: Number(name) }
}

function asJson({ name, value, source, isReadOnly }: ConfigEntry): string {
  return `${JSON.stringify({ name, value, origin: source, isReadOnly })}\n`
}

function asTable(
  { paint }: Session,
  entries: readonly ConfigEntry[],
  { origin }: ShowOptions,
): string {
  const rows = entries.map(({ name, value, source }) => {
    const shown = value ?? '(secret)'
    return origin === true ? [name, shown, source] : [name, shown]
  })
  return table(origin === true ? ['NAME', 'VALUE', 'ORIGIN'] : ['NAME', 'VALUE'], rows, paint)
}
