// start: runs a broker in this process. Only this module of the client's side loads the broker's, and only when it runs.
// For users: docs/guide/cli.md, "Starting a broker"

import type { Command } from 'commander'
import { CliError } from '../exit.ts'
import { examples, type CommonOptions } from '../flags.ts'

export function define(command: Command): void {
  command
    .option('--data <dir>', 'the data directory (default: ./data)')
    .option('--ephemeral', 'use a temporary directory, and delete it at the end')
    .option(
      '--port <number>',
      'for Kafka clients; 0 takes a free one and prints it (default: 9092)',
    )
    .option(
      '--http <port>',
      "for metrics and health; 0 for a free one, 'off' for none (default: 9644)",
    )
    .option('--host <list>', 'addresses to listen on (default: 127.0.0.1,::1)')
    .option(
      '--secure',
      'let other machines come, by TLS and password: makes certificates, a user and files for clients',
    )
    .option('--secure-port <number>', 'with --secure: the port with TLS (default: 9094)')
    .option('--no-plaintext', 'with --secure: no port without TLS for this machine')
    .option(
      '--config <file>',
      'YAML, name: value, or a server.properties of Apache Kafka (default: ./millrace.yaml, if it exists)',
    )
    .option('-c, --set <name=value>', 'a property by its name in Kafka; may be repeated', collect)
    .option(
      '--i-accept-unauthenticated-network',
      'listen on addresses that others can reach, without passwords',
    )
    .option('--json', 'print the banner as one JSON object')
    .option('-q, --quiet', 'log only warnings and errors')
    .option('-v, --verbose', 'log more')
    .addHelpText(
      'after',
      examples(
        'millrace                                       127.0.0.1:9092, data in ./data',
        'millrace start --port 0 --ephemeral            for a test',
        'millrace start -c num.partitions=6 -c log.segment.bytes=16777216',
        'millrace start --secure                        for the network, at port 9094',
        'MILLRACE_NUM_PARTITIONS=6 millrace start       the same from the environment',
      ),
    )
    .action(start)
}

function collect(text: string, previous: readonly string[] = []): readonly string[] {
  return [...previous, text]
}

interface Options {
  readonly data?: string
  readonly ephemeral?: boolean
  readonly port?: string
  readonly http?: string
  readonly host?: string
  readonly secure?: boolean
  readonly securePort?: string
  readonly plaintext?: boolean
  readonly config?: string
  readonly set?: readonly string[]
  readonly iAcceptUnauthenticatedNetwork?: boolean
  readonly json?: boolean
  readonly quiet?: boolean
  readonly verbose?: boolean
}

async function start(options: Options, command: Command): Promise<void> {
  const { io } = command.optsWithGlobals<CommonOptions>()
  if (options.secure === true && options.ephemeral === true)
    throw new CliError('usage', '--secure needs a directory that stays: not with --ephemeral')
  if (options.secure !== true && (options.securePort !== undefined || options.plaintext === false))
    throw new CliError('usage', '--secure-port and --no-plaintext go with --secure')
  const { startBroker } = await import('../../../broker/start.ts')
  io.exitCode = await startBroker({
    ...options,
    set: [...(options.set ?? []), ...logLevel(options)],
    acceptUnauthenticatedNetwork: options.iAcceptUnauthenticatedNetwork,
  })
}

function logLevel({ quiet, verbose }: Options): string[] {
  if (quiet === true) return ['log.level=warn']
  return verbose === true ? ['log.level=debug'] : []
}
