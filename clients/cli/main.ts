#!/usr/bin/env node
// millrace: the command line. Knows the verbs, loads the one that is asked for, and ends with its exit code.
// For users: docs/guide/cli.md

import nodeModule, { createRequire } from 'node:module'
import { Command, CommanderError } from 'commander'
import { exitCodes, exitOf, explain } from './exit.ts'
import { commonOptions, examples, type CommonOptions } from './flags.ts'
import { endQuietlyOnBrokenPipe, Notes } from './print.ts'

// From Node 22.8 on, what is loaded from here on is compiled once and kept in the temporary directory: a tenth of a start.
;(nodeModule as { enableCompileCache?: () => unknown }).enableCompileCache?.()

/** A verb's module adds its flags and its action to the command. */
interface Verb {
  readonly summary: string
  readonly alias?: string
  load(): Promise<{ define(command: Command): void }>
}

const verbs: Record<string, Verb> = {
  start: { summary: 'run a broker (the default)', load: () => import('./commands/start.ts') },
  tail: {
    summary: 'print records, and follow',
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
  txn: {
    summary: 'list, show and abort transactions',
    load: () => import('./commands/txn.ts'),
  },
  config: {
    summary: 'show and change the configuration of topics and the broker',
    load: () => import('./commands/config.ts'),
  },
  verify: {
    summary: 'check the data directory of a broker that does not run',
    load: () => import('./commands/verify.ts'),
  },
}

let isVerbose = false

const program = commonOptions(new Command('millrace'))
  .description('A Kafka-compatible log for Node.js.')
  .version(version(), '--version', 'print the version')
  .enablePositionalOptions()
  .helpCommand(false)
  .exitOverride()
  .configureOutput({
    outputError: (text) =>
      new Notes({}).error(
        text
          .replace(/^error: /, '')
          .trim()
          .replace('\n', ' '),
      ),
  })
  .hook('preSubcommand', async (_program, command) => {
    const verb = await verbs[command.name()]!.load()
    verb.define(command)
    if (['start', 'verify'].includes(command.name())) return // they dial nobody
    for (const leaf of command.commands.length === 0 ? [command] : command.commands)
      commonOptions(leaf)
  })
  .hook('preAction', (_program, command) => {
    isVerbose = command.optsWithGlobals<CommonOptions>().verbose ?? false
  })
  .addHelpText(
    'after',
    examples(
      'millrace                            a broker on 127.0.0.1:9092, data in ./data',
      'ls | millrace produce files         every line becomes a record',
      'millrace tail files -o start -e     print them all',
      'millrace tail --help                more, for each verb',
    ),
  )

for (const [name, { summary, alias }] of Object.entries(verbs)) {
  const command = program.command(name).description(summary)
  if (alias !== undefined) command.alias(alias)
}

endQuietlyOnBrokenPipe()
await run(process.argv.slice(2))

async function run(args: readonly string[]): Promise<never> {
  try {
    await program.parseAsync(normalise(args), { from: 'user' })
  } catch (error) {
    process.exitCode = report(error)
  }
  process.exit()
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

/** Tells what went wrong on stderr. @returns the exit code */
function report(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? exitCodes.ok : exitCodes.usage // it has spoken
  new Notes({}).error(explain(error, isVerbose))
  return exitCodes[exitOf(error)]
}

function version(): string {
  const require = createRequire(import.meta.url)
  return (require('millrace/package.json') as { version: string }).version
}
