// cluster info|health: brokers, partitions and their problems. For users: docs/guide/cli.md, "The cluster"

import type { Command } from 'commander'
import type { PartitionDescription, TopicDescription } from '../../admin/admin.ts'
import { exitCodes } from '../exit.ts'
import { examples, shapes, type CommonOptions } from '../flags.ts'
import { table, type Shape } from '../print.ts'
import { joined, show, type Paint, type Shown } from '../show.ts'
import { openSession } from '../session.ts'

export function define(cluster: Command): void {
  const verb = (name: string, summary: string): Command =>
    shapes(cluster.command(name).description(summary))

  verb('info', 'show brokers, and the partitions of every topic (as kcat -L)')
    .alias('describe')
    .option('-a, --all', 'internal topics too')
    .action(showCluster)
  verb(
    'health',
    'show partitions without a leader or with out-of-sync replicas; status 1 if there are any',
  )
    .addHelpText('after', examples('millrace cluster health || page somebody'))
    .action(showHealth)
}

type ClusterOptions = CommonOptions & Shape

async function showCluster(_: unknown, command: Command): Promise<void> {
  const options = command.optsWithGlobals<ClusterOptions & { all?: boolean }>()
  await using session = await openSession(options)
  const admin = session.client.admin()
  const [cluster, topics] = await Promise.all([admin.cluster(), admin.listTopics()])
  const shown = topics.filter(({ isInternal }) => options.all === true || !isInternal)
  const value = { ...cluster, topics: shown }
  await session.stdout.object(options, value, () => clusterText(value, session.paint))
}

function clusterText(
  { clusterId, controller, brokers, topics }: ClusterShown,
  paint: Paint,
): Shown {
  const nodes = brokers.map(({ id, host, port }) => {
    return [`${id}${id === controller ? ' *' : ''}`, `${host}:${port}`]
  })
  const rows = topics.flatMap(({ topic, partitions }) =>
    partitions.map((each) => [topic, ...placesOf(each)]),
  )
  const headings = ['TOPIC', 'PARTITION', 'LEADER', 'REPLICAS', 'IN SYNC']
  return joined([
    show`cluster ${paint('bold', clusterId ?? '(without an id)')}\n`,
    table(['BROKER', 'ADDRESS'], nodes, paint),
    ...(rows.length === 0 ? [] : [table(headings, rows, paint)]),
  ])
}

interface ClusterShown {
  readonly clusterId: string | null
  readonly controller: number
  readonly brokers: readonly { readonly id: number; readonly host: string; readonly port: number }[]
  readonly topics: readonly TopicDescription[]
}

function placesOf({ partition, leader, replicas, inSyncReplicas }: PartitionDescription): string[] {
  return [`${partition}`, `${leader}`, replicas.join(','), inSyncReplicas.join(',')]
}

async function showHealth(_: unknown, command: Command): Promise<void> {
  const options = command.optsWithGlobals<ClusterOptions>()
  await using session = await openSession(options)
  const admin = session.client.admin()
  const [{ brokers, controller }, topics] = await Promise.all([admin.cluster(), admin.listTopics()])
  const partitions = topics.flatMap(({ topic, partitions }) =>
    partitions.map((each) => ({ topic, ...each })),
  )
  const names = (of: typeof partitions) => of.map(({ topic, partition }) => `${topic}-${partition}`)
  const leaderless = names(partitions.filter(({ leader }) => leader < 0))
  const underReplicated = names(
    partitions.filter(({ replicas, inSyncReplicas }) => inSyncReplicas.length < replicas.length),
  )
  const isHealthy = controller >= 0 && leaderless.length === 0 && underReplicated.length === 0
  const health = {
    healthy: isHealthy,
    brokers: brokers.length,
    controller,
    partitions: partitions.length,
    leaderless,
    underReplicated,
  }
  await session.stdout.object(options, health, () => healthText(health, session.paint))
  if (!isHealthy) options.io.exitCode = exitCodes.failed
}

interface Health {
  readonly healthy: boolean
  readonly brokers: number
  readonly controller: number
  readonly partitions: number
  readonly leaderless: readonly string[]
  readonly underReplicated: readonly string[]
}

function healthText(health: Health, paint: Paint): Shown {
  const { healthy, controller, leaderless, underReplicated } = health
  const verdict = healthy ? paint('green', 'healthy') : paint('red', 'not healthy')
  const list = (what: string, names: readonly string[]) =>
    names.length === 0 ? [] : [show`${what}: ${names.join(' ')}\n`]
  return joined([
    show`${verdict}: ${health.brokers} brokers, ${health.partitions} partitions\n`,
    ...(controller < 0 ? [show`there is no controller\n`] : []),
    ...list('without a leader', leaderless),
    ...list('with replicas that are behind', underReplicated),
  ])
}
