// quota ls|set|rm. For users: docs/guide/security.md, "Quotas"

import { Option, type Command } from 'commander'
import {
  entityText,
  type EntityQuotas,
  type QuotaChange,
  type QuotaEntity,
  type QuotaFilter,
} from '../../admin/quotas.ts'
import { confirmed, type ConfirmOptions } from '../confirm.ts'
import { CliError } from '../exit.ts'
import { examples, shapes, type CommonOptions } from '../flags.ts'
import { isForPrograms, type Shape } from '../print.ts'
import { byteRate, eventRate, percentage } from '../rates.ts'
import { openSession, type Session } from '../session.ts'

/** Flags, and the quotas that they set. */
const quotaFlags = {
  produce: 'producerByteRate',
  fetch: 'consumerByteRate',
  requests: 'requestPercentage',
  mutations: 'controllerMutationRate',
  connections: 'connectionCreationRate',
} as const satisfies Record<string, keyof QuotaChange['quotas']>
type QuotaFlag = keyof typeof quotaFlags
const flagNames = Object.keys(quotaFlags) as QuotaFlag[]

export function define(quota: Command): void {
  selecting(quota.command('ls'))
    .alias('list')
    .description('list quotas')
    .option('--strict', 'only entities of just these kinds')
    .addHelpText('after', examples('millrace quota ls --for-user ann'))
    .action(list)
  selecting(quota.command('set'))
    .description('limit how much clients may do; those above it are slowed down')
    .option('--produce <rate>', 'bytes per second that they send, such as 10MB/s', byteRate)
    .option('--fetch <rate>', 'bytes per second that they fetch', byteRate)
    .option('--requests <percent>', "time of the broker's network thread, such as 50%", percentage)
    .option('--mutations <rate>', 'partitions created and deleted per second', eventRate)
    .option('--connections <rate>', 'new connections per second, with --for-ip', eventRate)
    .option('--dry-run', 'only check')
    .addHelpText(
      'after',
      examples(
        'millrace quota set --for-user ann --produce 10MB/s --fetch 20MB/s',
        'millrace quota set --default-client-id --requests 25%',
        'millrace quota set --for-user ann --for-client-id nightly --produce 1MiB/s',
        'millrace quota set --for-ip 10.0.0.7 --connections 20',
      ),
    )
    .action(set)
  selecting(quota.command('rm'))
    .alias('delete')
    .description('remove quotas: all of the entity, or those that are named')
    .addOption(new Option('--only <quota...>', 'only these').choices(flagNames))
    .option('--dry-run', 'only show what would be removed')
    .option('-y, --yes', 'do not ask')
    .addHelpText('after', examples('millrace quota rm --for-user ann --only produce --yes'))
    .action(remove)
}

/** Adds the flags that say whose quotas. */
function selecting(command: Command): Command {
  return shapes(command)
    .option('--for-user <name>', 'clients that have logged in as this user, together')
    .addOption(
      new Option('--default-user', 'each user without quotas of its own').conflicts('forUser'),
    )
    .option(
      '--for-client-id <id>',
      'clients that give this id, together; with a user, of that user',
    )
    .addOption(
      new Option('--default-client-id', 'each client id without quotas of its own').conflicts(
        'forClientId',
      ),
    )
    .option('--for-ip <address>', 'clients with this address')
    .addOption(
      new Option('--default-ip', 'each address without quotas of its own').conflicts('forIp'),
    )
}

interface EntityFlags {
  readonly forUser?: string
  readonly defaultUser?: boolean
  readonly forClientId?: string
  readonly defaultClientId?: boolean
  readonly forIp?: string
  readonly defaultIp?: boolean
}

type ListOptions = CommonOptions & Shape & EntityFlags & { readonly strict?: boolean }
type SetOptions = CommonOptions &
  Shape &
  EntityFlags & { readonly [Flag in QuotaFlag]?: number } & { readonly dryRun?: boolean }
type RemoveOptions = CommonOptions &
  Shape &
  EntityFlags &
  ConfirmOptions & { readonly only?: readonly QuotaFlag[] }

/** @throws {CliError} for flags that go with no client */
function entityOf(options: EntityFlags): QuotaEntity {
  const { forUser: user, defaultUser, forClientId: clientId, defaultClientId } = options
  const { forIp: ip, defaultIp } = options
  const entity = {
    ...((user !== undefined || defaultUser) && { user: user ?? null }),
    ...((clientId !== undefined || defaultClientId) && { clientId: clientId ?? null }),
    ...((ip !== undefined || defaultIp) && { ip: ip ?? null }),
  }
  if ('ip' in entity && Object.keys(entity).length > 1)
    throw new CliError(
      'usage',
      '--for-ip goes with no user and no client id: connections are counted before a client says who it is',
    )
  return entity
}

/** @throws {CliError} */
function requiredEntity(options: EntityFlags): QuotaEntity {
  const entity = entityOf(options)
  if (Object.keys(entity).length > 0) return entity
  throw new CliError(
    'usage',
    'say whose quotas: --for-user, --for-client-id, --for-ip, or --default-user and the like',
  )
}

async function list(_: unknown, command: Command): Promise<void> {
  const options = command.optsWithGlobals<ListOptions>()
  const filter: QuotaFilter = { ...entityOf(options), strict: options.strict }
  await using session = await openSession(options)
  const found = await session.client.admin().quotas.describe(filter)
  if (found.length === 0) return session.notes.say('no quotas')
  await show(found, session, options)
}

async function set(_: unknown, command: Command): Promise<void> {
  const options = command.optsWithGlobals<SetOptions>()
  const entity = requiredEntity(options)
  const given = flagNames.filter((flag) => options[flag] !== undefined)
  if (given.length === 0)
    throw new CliError('usage', `say how much: ${flagNames.map((flag) => `--${flag}`).join(', ')}`)
  checkKinds(entity, given)
  const quotas = Object.fromEntries(given.map((flag) => [quotaFlags[flag], options[flag]]))
  await using session = await openSession(options)
  const validateOnly = options.dryRun === true
  await session.client.admin().quotas.alter([{ entity, quotas }], { validateOnly })
  if (validateOnly) return session.notes.say('dry run: nothing was changed')
  await show(await described(entity, session), session, options)
}

/** @throws {CliError} for quotas that could not take effect */
function checkKinds(entity: QuotaEntity, given: readonly QuotaFlag[]): void {
  const isOfAddress = entity.ip !== undefined
  const other = given.find((flag) => (flag === 'connections') !== isOfAddress)
  if (other === undefined) return
  const why = isOfAddress
    ? 'an address has only --connections: use --for-user or --for-client-id'
    : 'connections are counted by address, before a client says who it is: use --for-ip'
  throw new CliError('usage', `--${other} cannot take effect: ${why}`)
}

async function remove(_: unknown, command: Command): Promise<void> {
  const options = command.optsWithGlobals<RemoveOptions>()
  const entity = requiredEntity(options)
  await using session = await openSession(options)
  const [known] = await described(entity, session)
  const wanted = (options.only ?? flagNames)
    .map((flag) => quotaFlags[flag])
    .filter((name) => known?.quotas[name] !== undefined)
  if (known === undefined || wanted.length === 0)
    return session.notes.say(`${entityText(entity)} has no such quotas`)
  const gone = Object.fromEntries(wanted.map((name) => [name, known.quotas[name]]))
  await show([{ entity, quotas: gone }], session, options)
  if (!(await confirmed(session, options, `Remove the quotas of ${entityText(entity)}?`))) return
  const quotas = Object.fromEntries(wanted.map((name) => [name, null]))
  await session.client.admin().quotas.alter([{ entity, quotas }])
}

/** The quotas of just this entity. */
function described(entity: QuotaEntity, { client }: Session): Promise<EntityQuotas[]> {
  return client.admin().quotas.describe({ ...entity, strict: true })
}

const headings = [
  'USER',
  'CLIENT-ID',
  'IP',
  'PRODUCE',
  'FETCH',
  'REQUESTS',
  'MUTATIONS',
  'CONNECTIONS',
]

/** Numbers are bytes per second, percent and events per second; a default is *. */
async function show(
  found: readonly EntityQuotas[],
  { stdout, paint }: Session,
  options: Shape,
): Promise<void> {
  const name = (each: string | null | undefined) =>
    each === null && !isForPrograms(options) ? '*' : each
  const rows = found.map(({ entity, quotas }) => ({
    user: name(entity.user),
    clientId: name(entity.clientId),
    ip: name(entity.ip),
    ...Object.fromEntries(Object.values(quotaFlags).map((each) => [each, quotas[each]])),
  }))
  await stdout.rows(options, headings, rows, paint)
}
