// Prometheus' own tool reads /metrics, with every family filled by traffic, and checks the alert rules.

import { fileURLToPath } from 'node:url'
import t from 'tap'
import { Broker } from '../../../broker/broker.ts'
import { requireTools, run } from './tools.ts'

requireTools()

t.test('promtool finds nothing wrong with /metrics', async (t) => {
  await using broker = await Broker.start({ ephemeral: true, http: 0 })
  await run('kcat', ['-P', '-b', broker.bootstrap, '-t', 'a'], Buffer.from('1\n2\n'))
  await run('kcat', ['-C', '-e', '-b', broker.bootstrap, '-t', 'a'])
  const response = await fetch(`${broker.httpUrl}/metrics`)
  const text = Buffer.from(await response.arrayBuffer())
  t.match(text.toString(), /millrace_records_in_total\{topic="a"\} 2/)
  const { stdout, stderr } = await run('promtool', ['check', 'metrics'], text)
  t.equal(`${stdout.toString()}${stderr}`, '')
})

t.test('promtool finds nothing wrong with the alert rules', async (t) => {
  const rules = fileURLToPath(new URL('../../../../docs/ops/alerts.yaml', import.meta.url))
  const { stdout } = await run('promtool', ['check', 'rules', rules])
  t.match(stdout.toString(), /SUCCESS: \d+ rules found/)
})
