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
  if (!args.includes('--')) return
  const asked = args.slice(args.indexOf('--') + 1)
  const names = await namesFor(asked, io, ANSWER_MS).catch(() => []) // no broker answers: no suggestions
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

/**
 * Asks the broker that the flags name.
 *
 * @param asked the words of a command line that is still being typed
 * @returns what the argument of its verb may be; nothing for a verb without a topic or group
 */
export async function namesFor(
  asked: readonly string[],
  io: Io,
  answerMs: number,
): Promise<string[]> {
  const isAbout = (verb: string) => verb.split(' ').every((word, i) => asked[i] === word)
  const isGroup = GROUP_VERBS.some(isAbout)
  if (!isGroup && !TOPIC_VERBS.some(isAbout)) return []
  using client = new CliClient({
    ...(await loginOptions({ ...flagsIn(asked), io }, () => {}, false)),
    bootstrapTimeoutMs: answerMs,
    timeoutMs: answerMs,
    clock: systemClock,
  })
  const admin = client.admin()
  if (isGroup) return (await admin.groups.list()).map(({ group }) => group)
  const topics = await admin.listTopics()
  return topics.filter(({ isInternal }) => !isInternal).map(({ topic }) => topic)
}
