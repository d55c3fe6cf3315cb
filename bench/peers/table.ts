// Results as text: Markdown, and the few rows of the README.

import type { CaseResult, RatioResult, Results } from './results.ts'

/** Three significant digits, with separators for thousands. */
export function digits(value: number): string {
  if (!Number.isFinite(value)) return '-'
  const rounded = Number(value.toPrecision(3))
  return rounded.toLocaleString('en-US', { maximumFractionDigits: 3 })
}

/** `0.42 (0.40 to 0.45)`, then whether it is as wanted, and whether it is noisy. */
function ratioText({ median, least, most, atMost, atLeast, isMet, isNoisy }: RatioResult): string {
  const wanted = atMost === undefined ? `>= ${atLeast}` : `<= ${atMost}`
  const verdict = isMet === undefined ? '' : `, ${isMet ? 'as' : 'not as'} wanted (${wanted})`
  return `${digits(median)} (${digits(least)} to ${digits(most)})${verdict}${isNoisy ? ', noisy' : ''}`
}

/** If other processes keep more cores busy than this, the figures are not reliable. */
const CORES_OF_OTHERS_MAX = 0.15

/** A table of a case's medians, and its ratios. */
export function caseMarkdown(result: CaseResult): string {
  const { name, title, metrics, settings, ratios, coresOfOthers } = result
  const head = ['', ...metrics.map(({ name, unit }) => `${name}, ${unit}`)]
  const rows = settings.map(({ name, medians }) => [
    name,
    ...metrics.map((metric) => digits(medians[metric.name]!)),
  ])
  const busy =
    coresOfOthers > CORES_OF_OTHERS_MAX
      ? [`Too busy to count: others kept ${digits(coresOfOthers)} cores busy.`, '']
      : []
  return [
    `### ${name}`,
    '',
    `${title}.`,
    '',
    ...busy,
    ...markdownTable(head, rows),
    '',
    ...ratios.map((ratio) => `- ${ratio.metric}, ${ratio.of} / ${ratio.to}: ${ratioText(ratio)}`),
    '',
  ].join('\n')
}

/** Whether the run as a whole is reliable. */
export function verdict({ cases }: Pick<Results, 'cases'>): string {
  const busy = cases.filter(({ coresOfOthers }) => coresOfOthers > CORES_OF_OTHERS_MAX)
  const ratios = cases.flatMap(({ ratios }) => ratios)
  const noisy = ratios.filter(({ isNoisy }) => isNoisy)
  if (busy.length === 0 && noisy.length === 0) return 'Quiet enough: no ratio is noisy.'
  return [
    `Noisy: ${busy.length} of ${cases.length} cases ran while others kept the machine busy,`,
    `${noisy.length} of ${ratios.length} ratios differ much from round to round.`,
  ].join(' ')
}

export function resultsMarkdown(results: Results): string {
  const { machine, rounds, cases } = results
  const facts = Object.entries(machine).map(([name, value]) => [name, value])
  return [
    '# Side by side',
    '',
    `Medians of ${rounds} rounds; ratios pair by pair, round by round: their median, least and greatest.`,
    '',
    verdict(results),
    '',
    ...markdownTable(['', ''], facts),
    '',
    ...cases.map(caseMarkdown),
  ].join('\n')
}

type ReadmeRow = readonly [caseName: string, metric: string, text: string]

/** The README's rows of servers, as far as the results have them. */
const serverRows: readonly ReadmeRow[] = [
  ['produce-64k-100b-1p', 'rate', 'records/s produced, 100 bytes, librdkafka'],
  ['produce-64k-100b-1p', 'CPU', 'CPU-s per GiB produced, 100 bytes'],
  ['produce-64k-1k-12p', 'CPU', 'CPU-s per GiB produced, 1 KiB, 12 partitions'],
  ['fetch-100b-1p', 'CPU', 'CPU-s per GiB fetched, from the page cache'],
  ['one-at-a-time', 'rate', 'records/s, one record per request, 16 connections'],
  ['end-to-end-10k', 'p50', 'ms from producer to consumer at 10,000 records/s, p50'],
  ['end-to-end-10k', 'p99', 'the same, p99'],
  ['startup', 'new', 'ms from spawn to the first answer'],
  ['idle', 'RSS', 'MiB of memory when idle'],
]

/** The README's rows of clients. */
const clientRows: readonly ReadmeRow[] = [
  ['client-produce-100b', 'rate', 'records/s produced, 100 bytes'],
  ['client-produce-100b', 'CPU', 'CPU-s per million records produced'],
  ['client-consume-100b', 'rate', 'records/s consumed, 100 bytes'],
  ['client-consume-100b', 'CPU', 'CPU-s per million records consumed'],
]

export function readmeMarkdown(results: Results): string {
  const { machine, rounds } = results
  const facts = ['cpu', 'memory', 'kernel', 'node', 'kafka', 'java', 'commit']
  const tables = [serverRows, clientRows].map((rows) => readmeTable(results, rows))
  return [
    ...tables.flatMap((table) => (table.length === 0 ? [] : [...table, ''])),
    `Medians of ${rounds} rounds. ${verdict(results)} ${facts.map((name) => `${name} ${machine[name] ?? '-'}`).join(', ')}.`,
    '',
  ].join('\n')
}

/** One column per setting, over all rows; a dash if a setting was not measured. */
function readmeTable({ cases }: Results, wanted: readonly ReadmeRow[]): string[] {
  const shown = wanted.flatMap(([caseName, metric, text]) => {
    const result = cases.find(({ name }) => name === caseName)
    return result === undefined ? [] : [{ settings: result.settings, metric, text }]
  })
  if (shown.length === 0) return []
  const columns = [...new Set(shown.flatMap(({ settings }) => settings.map(({ name }) => name)))]
  const rows = shown.map(({ settings, metric, text }) => {
    const valueOf = (column: string) => settings.find(({ name }) => name === column)
    return [text, ...columns.map((column) => digits(valueOf(column)?.medians[metric] ?? NaN))]
  })
  return markdownTable(['', ...columns], rows)
}

function markdownTable(head: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`
  return [line(head), `|---${'|---:'.repeat(head.length - 1)}|`, ...rows.map(line)]
}
