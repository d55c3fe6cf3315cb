// Completion: a shell's suggestions after a tab: verbs, flags, and the names of topics and groups. Main thread.
// @bomb.sh/tab has the shells' side. For users: docs/guide/cli.md, "Completion"

import tab from '@bomb.sh/tab/commander'
import { Command } from 'commander'
import { systemClock } from '../clock.ts'
import { CliClient } from './cli-client.ts'
import { clusterOptions, commonOptions, type CommonOptions } from './flags.ts'
import type { Io } from './io.ts'
import { loginOptions } from './login/login.ts'

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
  io: Io,
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
  const names = await namesOf(kind, asked, io).catch(() => []) // no broker answers: no suggestions
  for (const verb of [...TOPIC_VERBS, ...GROUP_VERBS]) {
    for (const argument of completion.commands.get(verb)?.arguments.values() ?? [])
      argument.handler = (offer) => names.forEach((name) => offer(name, ''))
  }
}

/** The flags of a command line that is still being typed. */
function flagsIn(asked: readonly string[]): Omit<CommonOptions, 'io'> {
  const command = clusterOptions(commonOptions(new Command()), true)
  command.allowUnknownOption().allowExcessArguments().exitOverride()
  command.configureOutput({ writeErr: () => {} })
  return command.parse(asked.slice(0, -1), { from: 'user' }).opts()
}

async function namesOf(
  kind: 'topics' | 'groups',
  asked: readonly string[],
  io: Io,
): Promise<string[]> {
  using client = new CliClient({
    ...(await loginOptions({ ...flagsIn(asked), io }, () => {}, false)),
    bootstrapTimeoutMs: ANSWER_MS,
    timeoutMs: ANSWER_MS,
    clock: systemClock,
  })
  const admin = client.admin()
  if (kind === 'groups') return (await admin.groups.list()).map(({ group }) => group)
  const topics = await admin.listTopics()
  return topics.filter(({ isInternal }) => !isInternal).map(({ topic }) => topic)
}
