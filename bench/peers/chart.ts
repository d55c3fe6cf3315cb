// Medians as bars, in SVG: one chart for each metric of a case. Colours tell the servers apart, in light and dark.

import type { CaseResult } from './results.ts'
import { digits } from './table.ts'

const WIDTH = 640
const LABEL_WIDTH = 170
const NUMBER_WIDTH = 90
const BAR_HEIGHT = 20
const ROW_HEIGHT = 28
const HEAD_HEIGHT = 44

const OURS = '#c2410c'
const THEIRS = '#64748b'

/** Bars from zero; a thin line from the least to the greatest round. */
export function barChart({ name, settings, metrics }: CaseResult, metricName: string): string {
  const metric = metrics.find(({ name }) => name === metricName)!
  const bars = settings.map(({ name, medians, rounds }) => {
    const values = rounds.map((sample) => sample[metricName]!)
    return {
      name,
      value: medians[metricName]!,
      least: Math.min(...values),
      most: Math.max(...values),
    }
  })
  const longest = Math.max(...bars.map(({ most }) => most), Number.MIN_VALUE)
  const x = (value: number) =>
    LABEL_WIDTH + (value / longest) * (WIDTH - LABEL_WIDTH - NUMBER_WIDTH)
  const rows = bars.flatMap(({ name, value, least, most }, i) => {
    const top = HEAD_HEIGHT + i * ROW_HEIGHT
    const middle = top + BAR_HEIGHT / 2
    const colour = name.startsWith('millrace') ? OURS : THEIRS
    return [
      text(LABEL_WIDTH - 8, middle, name, 'end'),
      `<rect x="${LABEL_WIDTH}" y="${top}" width="${round(x(value) - LABEL_WIDTH)}" height="${BAR_HEIGHT}" fill="${colour}"/>`,
      `<path d="M${round(x(least))} ${middle}H${round(x(most))}" class="range"/>`,
      text(round(x(most)) + 8, middle, digits(value), 'start'),
    ]
  })
  const height = HEAD_HEIGHT + bars.length * ROW_HEIGHT
  const better = metric.better === 'less' ? 'less is better' : 'more is better'
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}">`,
    STYLE,
    text(8, 18, `${name}: ${metric.name}, ${metric.unit} (${better})`, 'start', 'title'),
    ...rows,
    '</svg>',
    '',
  ].join('\n')
}

const STYLE = `<style>
text { font: 13px system-ui, sans-serif; fill: #1f2937 }
.title { font-weight: 600 }
.range { stroke: #1f2937; stroke-width: 2 }
@media (prefers-color-scheme: dark) { text { fill: #e5e7eb } .range { stroke: #e5e7eb } }
</style>`

const round = (value: number) => Number(value.toFixed(1))

function text(x: number, middle: number, content: string, anchor: string, kind = ''): string {
  const escaped = content.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
  const ofKind = kind === '' ? '' : ` class="${kind}"`
  return `<text x="${x}" y="${middle}" dominant-baseline="central" text-anchor="${anchor}"${ofKind}>${escaped}</text>`
}
