// Writes docs/reference/ from the tables in the sources and docs/architecture.svg from their imports, so that they always
// agree with the sources. `npm run docs` writes them; `npm run docs -- --check` fails if one differs.

import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { apiPermissions, exemptApis } from '../broker/auth/api-permissions.ts'
import { resourceTypes } from '../broker/auth/resources.ts'
import { brokerConfigs } from '../broker/config.ts'
import { kafkaConfigs } from '../broker/kafka-configs.ts'
import { metrics, type MetricSpec } from '../broker/metrics/table.ts'
import { run } from '../clients/cli/run.ts'
import { Printed } from '../clients/cli/testing/printed.ts'
import { apis } from '../protocol/apis.ts'
import { clientErrors, errors } from '../protocol/errors.ts'
import type { VersionRange } from '../protocol/schema.ts'
import { topicConfigs, type ConfigSpec } from '../storage/config.ts'
import { exportsOf } from './declarations.ts'
import { picture } from './picture.ts'
import { root } from './sources.ts'

const docs = new URL('docs/', root)

/** By their path in docs/. */
const pages: Record<string, () => string | Promise<string>> = {
  'architecture.svg': picture,
  'reference/apis.md': apisPage,
  'reference/cli.md': cliPage,
  'reference/client.md': clientPage,
  'reference/configs.md': configsPage,
  'reference/errors.md': errorsPage,
  'reference/metrics.md': metricsPage,
  'reference/permissions.md': permissionsPage,
}

function apisPage(): string {
  const rows = apis.map((api) => [
    `${api.key}`,
    api.name,
    versionsText(api.advertised),
    versionsText(api.versions),
    api.request.flexible.from > api.versions.to ? 'none' : `${api.request.flexible.from} and up`,
  ])
  return page(
    'APIs',
    'The APIs and versions that ApiVersions advertises, and the versions that the broker encodes and decodes. [not-implemented.md](../not-implemented.md) lists their missing parts.',
    table(['key', 'API', 'advertised', 'versions', 'flexible'], rows),
  )
}

async function cliPage(): Promise<string> {
  return page(
    'Command line',
    'The `--help` of each verb. [The guide](../guide/cli.md) explains them.',
    ...(await helpSections([])),
    ...(await helpSections(['complete'])), // which no other verb's help lists
  )
}

/** The help of a verb, and of each verb below it. */
async function helpSections(verb: string[]): Promise<string[]> {
  const help = await helpOf(verb)
  const commands = help.split('\nCommands:\n')[1]?.split('\n\n')[0] ?? ''
  const below = [...commands.matchAll(/^ {2}(?!help)(\w+)/gm)].map(([, name = '']) => name)
  const title = ['millrace', ...verb].join(' ')
  const text = help.replace(/ +$/gm, '').trim()
  const sections = [`## ${title}\n\n\`\`\`text\n${text}\n\`\`\``]
  for (const name of below) sections.push(...(await helpSections([...verb, name])))
  return sections
}

async function helpOf(verb: string[]): Promise<string> {
  const stdout = new Printed()
  const io = { stdin: process.stdin, stdout, stderr: new Printed(), env: {} }
  await run([...verb, '--help'], { ...io, on() {}, exit() {} })
  return stdout.text
}

/** The declarations of each entry point, by the name of its import. */
const entries = {
  millrace: 'clients/index',
  'millrace/broker': 'broker/broker',
  'millrace/testing': 'clients/testing/index',
  'millrace/protocol': 'protocol/index',
}

function clientPage(): string {
  const exported = (entry: keyof typeof entries) =>
    exportsOf(new URL(`dist/${entries[entry]}.d.ts`, root))
  const section = (entry: keyof typeof entries): string[] => [
    `## ${entry}`,
    ...exported(entry).map(({ name, text }) => `### ${name}\n\n\`\`\`ts\n${text}\n\`\`\``),
  ]
  return page(
    'Client, broker and test kit',
    'The exports of the package, from its declarations; all properties are read-only. For explanations see [the client](../guide/client.md), [transactions](../guide/transactions.md) and [recipes](../guide/recipes.md).',
    ...section('millrace'),
    ...section('millrace/broker'),
    ...section('millrace/testing'),
    '## millrace/protocol',
    "The tables of Kafka's messages, and what encodes and decodes them. It follows what the broker needs, and may change with any release.",
    exported('millrace/protocol')
      .map(({ name }) => code(name))
      .join(',\n'),
  )
}

function configsPage(): string {
  return page(
    'Configuration',
    'Property names are Apache Kafka\'s. A topic property is set per topic; the broker property beside it sets the default of every topic. The broker accepts, keeps and shows "No effect" properties, but does not act on them.',
    '## Broker',
    'Set a property as a flag (`-c log.level=warn`), in the environment (`MILLRACE_LOG_LEVEL=warn`) or in a YAML file; the first of these that sets it wins. What is set while the broker runs (`millrace config set`, or any Kafka tool) wins over all of them, takes effect at once and is kept over restarts; properties that are read at start only are refused there.',
    table(
      [...configHead, 'changes', 'what it does'],
      configRows(brokerConfigs, (spec) => [changes(spec)]),
    ),
    '## Topics',
    table(
      [...configHead, 'broker property', 'what it does'],
      configRows(topicConfigs, ({ brokerName }) => [brokerName ? code(brokerName) : '']),
    ),
    '## Broker properties of Apache Kafka without effect',
    'A configuration made for Apache Kafka starts this broker. It accepts these properties, checks them, shows one that a client asks for by name, and logs that it does not act on them.',
    table(
      [...configHead, 'changes'],
      Object.entries(kafkaConfigs).map(([name, spec]) => [
        ...configCells(name, spec),
        changes(spec),
      ]),
    ),
  )
}

const configHead = ['property', 'type', 'default', 'allowed']

function configRows(
  specs: Record<string, ConfigSpec>,
  more: (spec: ConfigSpec) => string[] = () => [],
): string[][] {
  return Object.entries(specs).map(([name, spec]) => [
    ...configCells(name, spec),
    ...more(spec),
    spec.documentation,
  ])
}

function configCells(name: string, spec: ConfigSpec): string[] {
  return [code(name), spec.type, spec.default === '' ? '' : code(spec.default), spec.allowed]
}

function changes({ isReadOnly }: ConfigSpec): string {
  return isReadOnly ? 'at start' : 'at once'
}

function errorsPage(): string {
  const rows = Object.entries(errors).map(([name, [wireCode, retriable, meaning]]) => [
    `${wireCode}`,
    code(name),
    retriable ? 'yes' : 'no',
    meaning,
  ])
  const own = Object.entries(clientErrors).map(([name, [, , meaning]]) => [code(name), meaning])
  return page(
    'Errors',
    'The error codes of responses: a client reads them as `KafkaError.code`, on the wire they are numbers. Retriable: the same request may succeed later, and clients retry it by themselves.',
    table(['code', 'name', 'retriable', 'meaning'], rows),
    "Errors of this package's client itself; a retry does not help:",
    table(['name', 'meaning'], own),
  )
}

function metricsPage(): string {
  const rows = Object.entries<MetricSpec>(metrics).map(([name, { type, labels, help }]) => [
    code(name),
    type,
    labels.map(code).join(', '),
    help,
  ])
  return page(
    'Metrics',
    "The metrics of `/metrics`, in Prometheus' text format. Names that begin with `kafka_` are those of kafka_exporter, so dashboards made for it work.",
    table(['metric', 'type', 'labels', 'what it tells'], rows),
  )
}

function permissionsPage(): string {
  const rows = apis.flatMap(({ name }) =>
    (apiPermissions[name] ?? []).map(({ operation, resourceType, when = '', otherwise }) => [
      name,
      `${operation} on ${resourceType}`,
      when,
      otherwise ?? code(resourceTypes[resourceType].denied),
    ]),
  )
  return page(
    'Permissions',
    'What each API asks for before it answers, and what a client without it gets. The operations, resources and answers are those of Apache Kafka. They count when the broker has an authorizer: see [ACLs](../guide/security.md#acls).',
    table(['API', 'permission', 'when', 'without it'], rows),
    `These APIs ask for none: ${exemptApis.map(code).join(', ')}.`,
  )
}

function page(title: string, ...parts: string[]): string {
  const origin = '<!-- Written by `npm run docs` from the tables in the sources: change those. -->'
  return [origin, `# ${title}`, ...parts].join('\n\n') + '\n'
}

function table(head: string[], rows: string[][]): string {
  const line = (cells: string[]) =>
    `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n')
}

function code(text: string): string {
  return `\`${text}\``
}

function versionsText({ from, to }: VersionRange): string {
  return from === to ? `${from}` : `${from}-${to}`
}

async function check(): Promise<void> {
  for (const [name, render] of Object.entries(pages)) {
    const url = new URL(name, docs)
    const difference = firstDifference(read(url), await render())
    if (difference === undefined) continue
    console.error(`docs/${name} is not what the sources say; run: npm run docs`)
    console.error(difference)
    process.exitCode = 1
  }
}

function read(url: URL): string {
  try {
    return readFileSync(url, 'utf8').replaceAll('\r\n', '\n')
  } catch {
    return ''
  }
}

function firstDifference(written: string, wanted: string): string | undefined {
  if (written === wanted) return undefined
  const [writtenLines, wantedLines] = [written.split('\n'), wanted.split('\n')]
  const at = wantedLines.findIndex((line, i) => line !== writtenLines[i])
  const line = at < 0 ? wantedLines.length : at
  return [`line ${line + 1}`, `- ${writtenLines[line] ?? ''}`, `+ ${wantedLines[line] ?? ''}`].join(
    '\n',
  )
}

async function write(): Promise<void> {
  mkdirSync(new URL('reference/', docs), { recursive: true })
  for (const [name, render] of Object.entries(pages)) {
    writeFileSync(new URL(name, docs), await render())
  }
}

await (process.argv.includes('--check') ? check() : write())
