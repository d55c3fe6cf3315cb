// Flags that several verbs share. Pure.

import { InvalidArgumentError, Option, type Command } from 'commander'
import type { Io } from './io.ts'
import { loginFlags } from './login/sources.ts'

/** The flags of every verb. */
export interface CommonOptions {
  /** No flag: where the command reads and writes. */
  readonly io: Io
  readonly brokers?: string
  readonly profile?: string
  /** -F: a property file of librdkafka. */
  readonly properties?: string
  readonly X?: readonly Pair[]
  /** A property file of Java's clients. */
  readonly commandConfig?: string
  readonly quiet?: boolean
  readonly verbose?: boolean
}

export const DEFAULT_BROKERS = '127.0.0.1:9092'

/** Adds the flags of every verb. */
export function commonOptions(command: Command): Command {
  const common = (flags: string, text: string): Option =>
    new Option(flags, text).helpGroup('Everywhere:')
  return command
    .addOption(
      common(
        '-b, --brokers <list>',
        `host:port,... (MILLRACE_BROKERS; default ${DEFAULT_BROKERS})`,
      ),
    )
    .addOption(common('-q, --quiet', 'print only errors and warnings to stderr'))
    .addOption(common('-v, --verbose', 'print more to stderr; errors with their stack'))
}

const ELSEWHERE = '\nHow to log in (--tls, --user, --profile, -F, ...): millrace --help'

const VARIABLES = `
Logging in: each flag from --tls on has a variable, such as MILLRACE_USER. Secrets have variables only:
MILLRACE_PASSWORD, MILLRACE_KEY_PASSWORD, MILLRACE_CLIENT_SECRET. A flag wins over a variable, a variable over a
file, a file over a profile.`

/** Adds the flags for the cluster and the login. @param isShown false: the help only says where they are described */
export function clusterOptions(command: Command, isShown: boolean): Command {
  const files = [
    new Option('--profile <name>', 'saved settings; see millrace profile (MILLRACE_PROFILE)'),
    new Option('-F, --properties <file>', 'properties of librdkafka, as for kcat -F'),
    new Option('-X <name=value>', 'one property of librdkafka; may be repeated').argParser(pairs),
    new Option('--command-config <file>', "properties of Java's clients, as for Kafka's tools"),
  ]
  for (const option of [...files, ...loginFlags()])
    command.addOption(isShown ? option.helpGroup('Logging in:') : option.hideHelp())
  return command.addHelpText('after', isShown ? VARIABLES : ELSEWHERE)
}

/** Adds flags that exclude each other. */
export function exclusive(command: Command, flags: readonly [flags: string, text: string][]): void {
  const options = flags.map(([flag, text]) => new Option(flag, text))
  const names = options.map((option) => option.attributeName())
  for (const option of options) {
    command.addOption(option.conflicts(names.filter((name) => name !== option.attributeName())))
  }
}

/** Adds the flags for programs that read a verb's output. @returns the command */
export function shapes(command: Command): Command {
  exclusive(command, [
    ['--json', 'one JSON object per line'],
    ['--yaml', 'YAML'],
  ])
  return command
}

export function examples(...lines: readonly string[]): string {
  return `\nExamples:\n${lines.map((line) => `  $ ${line}\n`).join('')}`
}

/** A flag that is a whole number. */
export function wholeNumber(min: number, max = Infinity): (text: string) => number {
  const range = max === Infinity ? `of at least ${min}` : `from ${min} to ${max}`
  return (text) => {
    const value = Number(text)
    if (text.trim() === '' || !Number.isSafeInteger(value) || value < min || value > max) {
      throw new InvalidArgumentError(`Expected a whole number ${range}.`)
    }
    return value
  }
}

/** A flag that names partitions: `0`, `0,2`, `0-3`, given once or several times. */
export function partitionList(text: string, previous: readonly number[] = []): readonly number[] {
  const numbers = text.split(',').flatMap((part) => {
    const [, first, last] = /^(\d{1,6})(?:-(\d{1,6}))?$/.exec(part) ?? []
    if (first === undefined)
      throw new InvalidArgumentError('Expected partitions such as 0 or 0,2 or 0-3.')
    const from = Number(first)
    return Array.from({ length: Number(last ?? first) - from + 1 }, (_, i) => from + i)
  })
  return [...previous, ...numbers]
}

/** A flag `name=value`, given once or several times. */
export function pairs(text: string, previous: readonly Pair[] = []): readonly Pair[] {
  const pair = pairOf(text)
  if (pair === undefined) throw new InvalidArgumentError('Expected name=value.')
  return [...previous, pair]
}

/** @returns undefined for any other text than `name=value` */
export function pairOf(text: string): Pair | undefined {
  const at = text.indexOf('=')
  return at < 1 ? undefined : [text.slice(0, at), text.slice(at + 1)]
}

export type Pair = readonly [name: string, value: string]
