// run: the command line. Loads the verb of its arguments, runs it, and returns its exit code.
// For users: docs/guide/cli.md

import { Command, CommanderError } from 'commander'
import { packageVersion } from '../../protocol/version.ts'
import { exitCodes, exitOf, explain } from './exit.ts'
import { clusterOptions, commonOptions, examples, type CommonOptions } from './flags.ts'
import { hint, oneLine } from './hints.ts'
import type { Io } from './io.ts'
import { endQuietlyOnBrokenPipe, Notes } from './print.ts'

/** A verb's module adds its flags and its action to the command. */
interface Verb {
  readonly summary: string
  readonly alias?: string
  load(): Promise<{ define(command: Command): void }>
}

const verbs: Record<string, Verb> = {
  start: { summary: 'run a broker (the default)', load: () => import('./commands/start.ts') },
  tail: {
    summary: 'print records, and wait for new ones',
    alias: 'consume',
    load: () => import('./commands/tail.ts'),
  },
  produce: {
    summary: 'send lines, files or JSON as records',
    load: () => import('./commands/produce.ts'),
  },
  topic: {
    summary: 'list, show, create, alter, delete and trim topics',
    load: () => import('./commands/topic.ts'),
  },
  group: {
    summary: 'list, show, reset and delete consumer groups, and their lag',
    load: () => import('./commands/group.ts'),
  },
  cluster: {
    summary: 'show brokers and partitions, and their problems',
    load: () => import('./commands/cluster.ts'),
  },
  acl: {
    summary: 'list, add and remove ACLs: who may do what',
    load: () => import('./commands/acl.ts'),
  },
  txn: {
    summary: 'list, show and abort transactions',
    load: () => import('./commands/txn.ts'),
  },
  config: {
    summary: 'show and change the configuration of topics and the broker',
    load: () => import('./commands/config.ts'),
  },
  user: {
    summary: 'list, add and remove users, and change their passwords',
    load: () => import('./commands/user.ts'),
  },
  quota: {
    summary: 'list, set and remove quotas: how much clients may do',
    load: () => import('./commands/quota.ts'),
  },
  profile: {
    summary: 'save how to reach clusters and log in there, and choose one',
    load: () => import('./commands/profile.ts'),
  },
  verify: {
    summary: 'check the data directory of a stopped broker',
    load: () => import('./commands/verify.ts'),
  },
}

/** Verbs without the flags of a client: they need no broker, or save those flags. */
const DIAL_NOBODY = ['start', 'verify', 'profile']

/** In characters, where nothing says how wide it is. */
const HELP_WIDTH = 80

/** @returns the exit code, once the command has ended and its output is written */
export async function run([given, ...others]: readonly string[], io: Io): Promise<number> {
  endQuietlyOnBrokenPipe(io)
  const program = programFor(io)
  let isVerbose = false
  program.hook('preAction', (_program, command) => {
    isVerbose = command.optsWithGlobals<CommonOptions>().verbose ?? false
  })
  const first = given === 'completion' ? 'complete' : given
  const args = first === undefined ? [] : [first, ...others]
  try {
    if (first === 'complete') await prepareCompletion(program, args, io)
    await program.parseAsync(normalise(args), { from: 'user' })
    return Number(io.exitCode ?? exitCodes.ok)
  } catch (error) {
    return report(error, isVerbose, io)
  }
}

function programFor(io: Io): Command {
  const program = clusterOptions(commonOptions(new Command('millrace')), true)
    .description('A Kafka-compatible log for Node.js.')
    .option('--version', 'print the version')
    .on('option:version', () => {
      io.stdout.write(`${packageVersion()}\n`)
      throw new CommanderError(exitCodes.ok, 'commander.version', '')
    })
    .enablePositionalOptions()
    .helpCommand(false)
    .exitOverride()
    .configureOutput({
      writeOut: (text) => void io.stdout.write(text),
      writeErr: (text) => void io.stderr.write(text),
      getOutHelpWidth: () => io.stdout.columns ?? HELP_WIDTH,
      getErrHelpWidth: () => io.stderr.columns ?? HELP_WIDTH,
      outputError: (text) => new Notes({ io }).error(`${oneLine(text)}${hint(text)}`),
    })
    .hook('preSubcommand', async (_program, command) => {
      const verb = verbs[command.name()]
      if (verb !== undefined) await define(command, verb)
    })
    .addHelpText(
      'after',
      examples(
        'millrace                            a broker on 127.0.0.1:9092, data in ./data',
        'ls | millrace produce files         every line becomes a record',
        'millrace tail files -o start -e     print them all',
        'millrace tail --help                more, for each verb',
        'source <(millrace complete bash)    completion; zsh, fish and powershell, too',
      ),
    )
    .setOptionValue('io', io) // so that each verb has it among its options
  for (const [name, { summary, alias }] of Object.entries(verbs)) {
    const command = program.command(name).description(summary)
    if (alias !== undefined) command.alias(alias)
  }
  return program
}

/** @param isCompleting all flags are shown then, as they are in the help of the program itself */
async function define(command: Command, verb: Verb, isCompleting = false): Promise<void> {
  const module = await verb.load()
  module.define(command)
  if (DIAL_NOBODY.includes(command.name())) return
  for (const leaf of command.commands.length === 0 ? [command] : command.commands)
    clusterOptions(commonOptions(leaf), isCompleting)
}

/** Loads all verbs, only for help and completion. */
async function prepareCompletion(program: Command, args: readonly string[], io: Io): Promise<void> {
  for (const command of program.commands) await define(command, verbs[command.name()]!, true)
  const { addCompletion } = await import('./completion.ts')
  await addCompletion(program, args, io)
}

/** `help VERB` is `VERB --help`; flags alone belong to `start`, unless they ask for help or the version. */
function normalise(args: readonly string[]): readonly string[] {
  const [first, ...others] = args
  if (first === 'help') return [...others, '--help']
  const namesVerb = args.some((arg) => Object.hasOwn(verbs, arg) || arg === 'consume')
  const asksAboutProgram = args.some((arg) => ['-h', '--help', '--version'].includes(arg))
  const isUnknownVerb = first !== undefined && !first.startsWith('-')
  return namesVerb || asksAboutProgram || isUnknownVerb ? args : ['start', ...args]
}

/** Prints the error to stderr. @returns the exit code */
function report(error: unknown, isVerbose: boolean, io: Io): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? exitCodes.ok : exitCodes.usage // it has spoken
  new Notes({ io }).error(explain(error, isVerbose))
  return exitCodes[exitOf(error)]
}
