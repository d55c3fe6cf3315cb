// Tests docs/ops: every metric of a rule or a dashboard exists, with the labels that it uses.

import { readFileSync } from 'node:fs'
import t from '../protocol/testing/tap.ts'
import { parse, parseAllDocuments } from 'yaml'
import { brokerConfigs } from '../broker/config.ts'
import { metrics } from '../broker/metrics/table.ts'
import { root } from './sources.ts'

const read = (name: string) => readFileSync(new URL(`docs/ops/${name}`, root), 'utf8')

interface Rules {
  readonly groups: readonly {
    readonly rules: readonly {
      readonly alert: string
      readonly expr: string
      readonly annotations: Readonly<Record<string, string>>
    }[]
  }[]
}
interface Board {
  readonly panels: readonly { readonly targets?: readonly { readonly expr: string }[] }[]
}

const { rules } = (parse(read('alerts.yaml')) as Rules).groups[0]!
const { panels } = JSON.parse(read('grafana.json')) as Board
const expressions = [
  ...rules.map(({ alert, expr }) => [alert, expr] as const),
  ...panels.flatMap(({ targets = [] }) => targets.map(({ expr }) => ['grafana', expr] as const)),
]

/** Labels that Prometheus adds, and a histogram's own. */
const otherLabels = ['instance', 'job', 'le']

t.test(
  'every metric that a rule or a board asks for is in the table, with its labels',
  async (t) => {
    t.ok(expressions.length > 30)
    for (const [where, expr] of expressions) {
      const names = expr.match(/\b(?:millrace|process|kafka)_\w+/g) ?? []
      t.ok(names.length > 0 || expr.startsWith('up{'), `${where}: ${expr}`)
      const labels = new Set(otherLabels)
      for (const name of names) {
        const metric = metrics[name.replace(/_(?:bucket|sum|count)$/, '') as keyof typeof metrics]
        t.ok(metric, `${where}: ${name}`)
        for (const label of metric?.labels ?? []) labels.add(label)
      }
      const used = [
        ...[...expr.matchAll(/(\w+)=~?"/g)].map(([, label]) => label!),
        ...[...expr.matchAll(/by \(([^)]*)\)/g)].flatMap(([, list]) => list!.split(/, */)),
      ]
      for (const label of used) t.ok(labels.has(label), `${where}: label ${label} in ${expr}`)
    }
  },
)

t.test('what an alert says of its labels can be filled in', async (t) => {
  for (const { alert, expr, annotations } of rules) {
    const names = expr.match(/\bmillrace_\w+/g) ?? []
    const labels = names.flatMap((name) => metrics[name as keyof typeof metrics]?.labels ?? [])
    const wanted = [...(annotations['summary'] ?? '').matchAll(/\$labels\.(\w+)/g)]
    for (const [, label] of wanted)
      t.ok([...otherLabels, ...labels].includes(label!), `${alert}: ${label}`)
  }
})

t.test('the guide says what to do about every alert, and of no other', async (t) => {
  const guide = readFileSync(new URL('docs/guide/operations.md', root), 'utf8')
  const rows = [...guide.matchAll(/^\| (Millrace\w+) \|/gm)].map(([, alert]) => alert)
  t.strictSame(
    rows,
    rules.map(({ alert }) => alert),
  )
})

t.test('every setting that the files pass by the environment exists', async (t) => {
  const texts = [read('Dockerfile'), read('kubernetes.yaml')].join('\n')
  const variables = new Set(texts.match(/MILLRACE_[A-Z_]+(?=[,=])/g))
  const known = new Set(
    Object.keys(brokerConfigs).map((name) => `MILLRACE_${name.toUpperCase().replaceAll('.', '_')}`),
  )
  t.ok(variables.size >= 4)
  for (const name of variables) t.ok(known.has(name), name)
  t.equal(parseAllDocuments(read('kubernetes.yaml')).flatMap(({ errors }) => errors).length, 0)
})
