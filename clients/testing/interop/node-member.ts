// A member of a group in its own process, of our client or of kafkajs: node-member.js BOOTSTRAP CLIENT
// ARGUMENT-IN-JSON.
// Prints the same lines as `group_member.py`. Started by members.ts.

import kafkajs, { type PartitionAssigner } from 'kafkajs'
import { assignors } from '../../group/assignors.ts'
import { Client, type GroupConsumerOptions } from '../../index.ts'

export interface MemberArgument {
  readonly topic: string
  readonly group: string
  readonly assignor: 'range' | 'roundrobin' | 'cooperative-sticky'
  readonly session_ms: number
}

const COMMIT_RECORDS = 20
const HEARTBEAT_MS = 100

const [bootstrap = '', client = '', text = ''] = process.argv.slice(2)
const argument = JSON.parse(text) as MemberArgument
const { topic, group, assignor, session_ms: sessionTimeoutMs } = argument

function write(line: object): void {
  process.stdout.write(`${JSON.stringify(line)}\n`)
}

/** ms on a clock that all processes of the machine share. */
function now(): number {
  return Number(process.hrtime.bigint() / 1000n) / 1000
}

function tellRecord(partition: number, offset: number, value: Buffer | null): void {
  write({ partition, offset, value: String(value), at: now() })
}

function tellCommitted(committed: Record<number, number>): void {
  write({ committed, at: now() })
}

async function millrace(): Promise<void> {
  const stop = new AbortController()
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => stop.abort())
  const options: GroupConsumerOptions = {
    topics: [topic],
    group,
    assignors: [assignor],
    from: 'earliest',
    commit: 'manual',
    heartbeatIntervalMs: HEARTBEAT_MS,
    sessionTimeoutMs,
    signal: stop.signal,
    onAssignment: (owned) => write({ owned: owned.map(({ partition }) => partition) }),
  }
  await using us = new Client({ brokers: bootstrap })
  await using consumer = us.consumer(options)
  for await (const batch of consumer.batches({ maxRecords: COMMIT_RECORDS })) {
    const committed: Record<number, number> = {}
    for (const { partition, offset, value } of batch.records) {
      tellRecord(partition, offset, value as Buffer)
      committed[partition] = offset + 1
    }
    const isCommitted = await batch.commit().then(
      () => true,
      () => false, // the partition has another owner now
    )
    if (isCommitted) tellCommitted(committed)
  }
}

async function kafkaJs(): Promise<void> {
  const { Kafka, logLevel } = kafkajs
  const kafka = new Kafka({
    brokers: [bootstrap],
    logLevel: logLevel.NOTHING,
    retry: { initialRetryTime: 50, maxRetryTime: 200, retries: 1000 },
  })
  const consumer = kafka.consumer({
    groupId: group,
    heartbeatInterval: HEARTBEAT_MS,
    sessionTimeout: sessionTimeoutMs,
    maxWaitTimeInMs: 100,
    partitionAssigners: [assigner],
  })
  const stop = () => void consumer.disconnect().then(() => process.exit(0))
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, stop)
  consumer.on('consumer.group_join', ({ payload }) => {
    write({ owned: payload.memberAssignment[topic] ?? [] })
  })
  consumer.on('consumer.commit_offsets', ({ payload }) => {
    const partitions = payload.topics.flatMap((each) => each.partitions)
    tellCommitted(
      Object.fromEntries(partitions.map(({ partition, offset }) => [partition, Number(offset)])),
    )
  })
  await consumer.connect()
  await consumer.subscribe({ topic, fromBeginning: true })
  await consumer.run({
    autoCommitThreshold: COMMIT_RECORDS,
    eachMessage: async ({ partition, message }) => {
      tellRecord(partition, Number(message.offset), message.value)
    },
  })
}

/**
 * kafkajs knows only round-robin, under a name of its own: this assigner works as ours does, so that other clients
 * understand it.
 */
const assigner: PartitionAssigner = ({ cluster }) => {
  const { AssignerProtocol } = kafkajs
  const ours = assignors.find(({ name }) => name === assignor)!
  return {
    name: assignor,
    version: 0,
    protocol: ({ topics }) => ({
      name: assignor,
      metadata: AssignerProtocol.MemberMetadata.encode({
        version: 0,
        topics,
        userData: Buffer.of(),
      }),
    }),
    async assign({ members, topics }) {
      const counts = new Map(
        topics.map((each) => [each, cluster.findTopicPartitionMetadata(each).length]),
      )
      const described = members.map(({ memberId }) => ({
        memberId,
        groupInstanceId: null,
        topics,
        owned: [],
        generationId: -1,
        userData: null,
      }))
      const assignment = ours.assign({ members: described, partitionCounts: counts })
      return Array.from(assignment, ([memberId, { partitions }]) => ({
        memberId,
        memberAssignment: AssignerProtocol.MemberAssignment.encode({
          version: 0,
          assignment: { [topic]: partitions.map(({ partition }) => partition) },
          userData: Buffer.of(),
        }),
      }))
    },
  }
}

await (client === 'millrace' ? millrace() : kafkaJs())
