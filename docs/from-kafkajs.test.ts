// The page for users of kafkajs names every call and option in kafkajs' types.

import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import t from '../protocol/testing/tap.ts'
import { textOf } from './pages.ts'

const main = createRequire(import.meta.url).resolve('kafkajs/package.json')
const types = readFileSync(join(dirname(main), 'types/index.d.ts'), 'utf8')
const page = textOf('docs/guide/from-kafkajs.md')

/** The types that users write and call; the others are kafkajs' results and internals. */
const ofUsers = [
  'Kafka',
  'KafkaConfig',
  'RetryOptions',
  'ProducerConfig',
  'Sender',
  'Producer',
  'Transaction',
  'Message',
  'ProducerRecord',
  'ConsumerConfig',
  'ConsumerRunConfig',
  'EachBatchPayload',
  'Batch',
  'Consumer',
  'Admin',
  'ITopicConfig',
  'ConsumerEvents',
  'ProducerEvents',
]

/** Members of a type, by the indentation of its declaration. */
function membersOf(name: string): string[] {
  const head = new RegExp(
    `^(?:export )?(?:class|interface|type) ${name} [^\\n]*\\{\\n(.*?)^\\}`,
    'ms',
  )
  const body = head.exec(types)?.[1] ?? ''
  return [...body.matchAll(/^ {2}(?:readonly )?(\w+)\??[:(<]/gm)].map(([, member]) => member!)
}

/** The page describes these in a sentence. */
const elsewhere = ['constructor', 'on', 'events', 'topicMessages']

t.test('every call and option of kafkajs is on its page', async (t) => {
  for (const name of ofUsers) {
    const members = membersOf(name)
    t.ok(members.length > 0, name)
    const missing = members.filter(
      (member) => !elsewhere.includes(member) && !new RegExp(`\\b${member}\\b`).test(page),
    )
    t.strictSame(missing, [], name)
  }
})
