// acl ls|add|rm. For users: docs/guide/cli.md, "ACLs"

import { Option, type Command } from 'commander'
import type { Acl, AclFilter, NewAcl } from '../../admin/acls.ts'
import {
  hostOf,
  newAcls,
  operationsIn,
  principalsOf,
  resourcesOf,
  type AclFlags,
} from '../acl-flags.ts'
import { confirmed, type ConfirmOptions } from '../confirm.ts'
import { CliError } from '../exit.ts'
import { examples, shapes, type CommonOptions } from '../flags.ts'
import type { Shape } from '../print.ts'
import { openSession, type Session } from '../session.ts'

export function define(acl: Command): void {
  selecting(acl.command('ls'))
    .alias('list')
    .description('list ACLs')
    .option('--matching', 'those that take effect for the named resources, by prefixes and * too')
    .addHelpText(
      'after',
      examples(
        'millrace acl ls --topic orders --matching    who may do what with the topic',
        'millrace acl ls --allow ann --deny ann       what is said about a user',
      ),
    )
    .action(list)
  selecting(acl.command('add'))
    .alias('create')
    .description('allow or deny principals operations on resources')
    .option('--producer', 'operations to write to the topics, and with the transactional ids')
    .option('--consumer', 'operations to read the topics as the groups')
    .option('--dry-run', 'only show what would be added')
    .addHelpText(
      'after',
      examples(
        'millrace acl add --allow ann --topic orders --producer',
        'millrace acl add --allow ben --topic orders. --prefixed --group bills --consumer',
        "millrace acl add --deny '*' --host 10.0.0.7 --topic orders --operation delete,alter",
        'millrace acl add --allow ops --cluster --operation all',
      ),
    )
    .action(add)
  selecting(acl.command('rm'))
    .alias('delete')
    .description('remove the ACLs that have all of these')
    .option('--all', 'all ACLs')
    .option('--dry-run', 'only show what would be removed')
    .option('-y, --yes', 'do not ask')
    .addHelpText('after', examples('millrace acl rm --allow ann --topic orders --yes'))
    .action(remove)
}

/** Adds the flags that say what ACLs are about. */
function selecting(command: Command): Command {
  return shapes(command)
    .option('--allow <principal...>', 'User:NAME, or NAME for short; * for everybody')
    .option('--deny <principal...>', 'the same; a denial is stronger than what is allowed')
    .option('--topic <name...>', '* for all topics')
    .option('--group <name...>', 'consumer groups')
    .option('--transactional-id <id...>', 'of producers')
    .option('--cluster', 'the cluster itself')
    .option('--delegation-token <id...>', 'tokens')
    .option('--user-principal <principal...>', 'users whose tokens are created or described')
    .option('--prefixed', 'names are prefixes')
    .addOption(
      new Option('--operation <name...>', 'such as read, write, describe, all').argParser(
        commaSeparated,
      ),
    )
    .option('--host <address...>', 'only clients with this address')
}

function commaSeparated(text: string, previous: readonly string[] = []): readonly string[] {
  return [...previous, ...text.split(',').map((each) => each.trim())]
}

interface ListOptions extends CommonOptions, Shape, AclFlags {
  readonly matching?: boolean
}

interface AddOptions extends CommonOptions, Shape, AclFlags {
  readonly dryRun?: boolean
}

interface RemoveOptions extends CommonOptions, Shape, AclFlags, ConfirmOptions {
  readonly all?: boolean
}

async function list(_: unknown, command: Command): Promise<void> {
  const options = command.optsWithGlobals<ListOptions>()
  await using session = await openSession(options)
  const filters = filtersOf(options, options.matching === true ? 'match' : undefined)
  await show(await found(session, filters), 'no ACLs', session, options)
}

async function add(_: unknown, command: Command): Promise<void> {
  const options = command.optsWithGlobals<AddOptions>()
  const acls = newAcls(options)
  await using session = await openSession(options)
  if (options.dryRun === true) session.notes.say('dry run: nothing was changed')
  else await session.client.admin().acls.create(acls)
  await show(acls, 'nothing to add', session, options)
}

async function remove(_: unknown, command: Command): Promise<void> {
  const options = command.optsWithGlobals<RemoveOptions>()
  const filters = filtersOf(options, 'literal')
  const isAll = filters.length === 1 && Object.keys(filters[0]!).length === 0
  if (isAll !== (options.all === true))
    throw new CliError('usage', 'say which ACLs, such as --topic orders, or --all')
  await using session = await openSession(options)
  const acls = await found(session, filters)
  await show(acls, 'no ACL has all of these', session, options)
  if (acls.length === 0) return
  const what = acls.length === 1 ? 'this ACL' : `these ${acls.length} ACLs`
  if (await confirmed(session, options, `Remove ${what}?`))
    await session.client.admin().acls.delete(filters)
}

/** Each ACL once, sorted. */
async function found(session: Session, filters: readonly AclFilter[]): Promise<Acl[]> {
  const { acls } = session.client.admin()
  const lists = await Promise.all(filters.map((filter) => acls.list(filter)))
  const byText = new Map(lists.flat().map((acl) => [JSON.stringify(acl), acl]))
  return [...byText].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, acl]) => acl)
}

async function show(
  acls: readonly (Acl | NewAcl)[],
  none: string,
  session: Session,
  options: Shape,
): Promise<void> {
  if (acls.length === 0) return session.notes.say(none)
  const rows = acls.map((acl) => ({
    principal: acl.principal,
    permission: acl.permission ?? 'allow',
    operation: acl.operation,
    resourceType: acl.resourceType,
    resourceName: acl.resourceName,
    patternType: acl.patternType ?? 'literal',
    host: acl.host ?? '*',
  }))
  const headings = ['PRINCIPAL', 'PERMISSION', 'OPERATION', 'TYPE', 'RESOURCE', 'PATTERN', 'HOST']
  await session.stdout.rows(options, headings, rows, session.paint)
}

type Part = AclFilter

/** One filter for each combination of the flags. @param patternType of named resources, without --prefixed */
function filtersOf(options: AclFlags, patternType: AclFilter['patternType']): readonly AclFilter[] {
  const pattern = options.prefixed === true ? 'prefixed' : patternType
  const resources = resourcesOf(options).map(([resourceType, resourceName]): Part => {
    return { resourceType, resourceName, ...(pattern !== undefined && { patternType: pattern }) }
  })
  const ofPrefixes: readonly Part[] = options.prefixed === true ? [{ patternType: 'prefixed' }] : []
  const kinds: readonly (readonly Part[])[] = [
    principalsOf(options),
    resources.length > 0 ? resources : ofPrefixes,
    operationsIn(options).map((operation) => ({ operation })),
    options.host?.map((host) => ({ host: hostOf(host) })) ?? [],
  ]
  return kinds
    .filter((parts) => parts.length > 0)
    .reduce<readonly Part[]>(
      (filters, parts) =>
        filters.flatMap((filter) => parts.map((part) => ({ ...filter, ...part }))),
      [{}],
    )
}
