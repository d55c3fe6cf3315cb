// Completion: a shell's suggestions after a tab: verbs, flags, and the names of topics and groups. Main thread.
// @bomb.sh/tab has the shells' side. For users: docs/guide/cli.md, "Completion"

import tab from '@bomb.sh/tab/commander'
import type { Command } from 'commander'
import { systemClock } from '../clock.ts'
import { DEFAULT_BROKERS } from './flags.ts'
import type { Io } from './io.ts'

/** Short, because a user waits for the suggestions. */
const ANSWER_MS = 400

/** Verbs whose argument is a topic, or a group. */
const TOPIC_VERBS = [
  'tail',
  'produce',
  'topic info',
  'topic alter',
  'topic rm',
  'topic trim',
  'topic offsets',
]
const GROUP_VERBS = ['group info', 'group lag', 'group reset', 'group rm']

/**
 * Adds the verb `complete`, which prints a shell's script, and completes words for that script.
 *
 * @param args of the command line: they tell whether to ask a broker for names
 */
export async function addCompletion(
  program: Command,
  args: readonly string[],
  env: Io['env'],
): Promise<void> {
  const completion = tab(program)
  const asked = args.slice(args.indexOf('--') + 1)
  const isAbout = (verb: string) => verb.split(' ').every((word, i) => asked[i] === word)
  const kind = TOPIC_VERBS.some(isAbout)
    ? 'topics'
    : GROUP_VERBS.some(isAbout)
      ? 'groups'
      : undefined
  if (!args.includes('--') || kind === undefined) return
  const names = await namesOf(kind, brokersIn(asked, env)).catch(() => []) // no broker answers: no suggestions
  for (const verb of [...TOPIC_VERBS, ...GROUP_VERBS]) {
    for (const argument of completion.commands.get(verb)?.arguments.values() ?? [])
      argument.handler = (offer) => names.forEach((name) => offer(name, ''))
  }
}

function brokersIn(args: readonly string[], env: Io['env']): string {
  const at = args.findIndex((arg) => arg === '-b' || arg === '--brokers')
  return (at === -1 ? undefined : args[at + 1]) ?? env['MILLRACE_BROKERS'] ?? DEFAULT_BROKERS
}

async function namesOf(kind: 'topics' | 'groups', brokers: string): Promise<string[]> {
  const { Client } = await import('../client.ts')
  await using client = new Client({
    brokers,
    bootstrapTimeoutMs: ANSWER_MS,
    timeoutMs: ANSWER_MS,
    clock: systemClock,
  })
  const admin = client.admin()
  if (kind === 'groups') return (await admin.groups.list()).map(({ group }) => group)
  const topics = await admin.listTopics()
  return topics.filter(({ isInternal }) => !isInternal).map(({ topic }) => topic)
}
