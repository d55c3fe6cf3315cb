// Prometheus and curl read /metrics, over HTTPS as a user of the broker, too. Prometheus' own tool checks every family, filled by
// traffic, and the alert rules.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { writeFileSync } from 'node:fs'
import t from '../../../protocol/testing/tap.ts'
import { Broker } from '../../../broker/broker.ts'
import { Client } from '../../index.ts'
import { Authority } from '../certificates.ts'
import { freePort } from './killable-broker.ts'
import { requireTools, run } from './tools.ts'

requireTools()

const SCRAPE_MS = 200
const TRIES_MAX = 150
const USER = 'prometheus'
const PASSWORD = 'p:ä ss'

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

/** @returns a broker with HTTPS for users of which one may read the metrics, and the path of the CA */
async function startSecured(directory: string) {
  const authority = new Authority('the CA of the metrics')
  const { key, cert } = authority.issue({ name: 'broker', hosts: ['localhost', '127.0.0.1'] })
  const ca = join(directory, 'ca.pem')
  writeFileSync(ca, authority.cert)
  const broker = await Broker.start({
    ephemeral: true,
    http: 0,
    config: {
      'http.security.protocol': 'SASL_SSL',
      'http.ssl.keystore.type': 'PEM',
      'http.ssl.keystore.certificate.chain': cert,
      'http.ssl.keystore.key': key,
      'authorizer.class.name': 'org.apache.kafka.metadata.authorizer.StandardAuthorizer',
      'super.users': 'User:ANONYMOUS',
    },
  })
  await using client = new Client({ brokers: broker.bootstrap })
  const { users, acls } = client.admin()
  for (const user of [USER, 'other']) await users.upsert([{ user, password: PASSWORD }])
  await acls.create([
    {
      resourceType: 'cluster',
      resourceName: 'kafka-cluster',
      principal: `User:${USER}`,
      operation: 'describe',
      permission: 'allow',
    },
  ])
  return { broker, ca }
}

t.test('curl reads the metrics with a password, and hears why not', async (t) => {
  const { broker, ca } = await startSecured(t.testdir())
  t.teardown(() => broker.close())
  const curl = async (path: string, ...args: string[]) => {
    const own = ['--silent', '--cacert', ca, '--write-out', '%{http_code}']
    const { stdout } = await run('curl', [...own, ...args, `${broker.httpUrl}${path}`])
    return stdout.toString()
  }
  const as = (user: string, password = PASSWORD) => ['--user', `${user}:${password}`]
  t.match(await curl('/metrics', ...as(USER)), /^millrace_build_info\{[^]*\n200$/m)
  t.match(await curl('/metrics', ...as('other')), /^User:other needs .*\n403$/)
  t.match(await curl('/metrics', ...as(USER, 'wrong')), /^the user name, the pass.*\n401$/)
  t.match(await curl('/metrics'), /^log in .*\n401$/)
  t.match(await curl('/healthz'), /200$/)
  await t.rejects(
    run('curl', ['--silent', '--show-error', `${broker.httpUrl}/healthz`]),
    /certificate/,
  )
})

interface Target {
  readonly labels: { readonly job: string }
  readonly health: string
  readonly lastError: string
}

t.test('Prometheus scrapes with basic_auth and tls_config', async (t) => {
  const directory = t.testdir()
  const { broker, ca } = await startSecured(directory)
  t.teardown(() => broker.close())
  const job = (name: string, user: string, password: string) => `
  - job_name: ${name}
    scheme: https
    basic_auth: { username: ${user}, password: '${password}' }
    tls_config: { ca_file: '${ca}' }
    static_configs: [{ targets: ['${new URL(broker.httpUrl!).host}'] }]`
  const jobs = [
    job('right', USER, PASSWORD),
    job('wrong', USER, 'x'),
    job('other', 'other', PASSWORD),
  ]
  const file = join(directory, 'prometheus.yml')
  writeFileSync(
    file,
    `global: { scrape_interval: ${SCRAPE_MS}ms, scrape_timeout: ${SCRAPE_MS}ms }\nscrape_configs:${jobs.join('')}\n`,
  )
  t.match((await run('promtool', ['check', 'config', file])).stdout.toString(), /SUCCESS/)
  const at = `127.0.0.1:${await freePort()}`
  const args = [`--config.file=${file}`, `--storage.tsdb.path=${join(directory, 'data')}`]
  const prometheus = spawn('prometheus', [...args, `--web.listen-address=${at}`], {
    stdio: 'ignore',
  })
  t.teardown(async () => {
    prometheus.kill()
    await once(prometheus, 'exit')
  })
  const targets = await judged(`http://${at}/api/v1/targets`)
  t.match(targets.get('right'), { health: 'up', lastError: '' })
  t.match(targets.get('wrong'), { health: 'down', lastError: /401 Unauthorized/ })
  t.match(targets.get('other'), { health: 'down', lastError: /403 Forbidden/ })
})

/** @returns the targets by job, once Prometheus has scraped all */
async function judged(url: string): Promise<ReadonlyMap<string, Target>> {
  for (let tries = 0; tries < TRIES_MAX; tries++) {
    await setTimeout(SCRAPE_MS)
    const answer = await fetch(url).catch(() => undefined) // it may not listen yet
    if (answer?.ok !== true) continue
    const { data } = (await answer.json()) as { data: { activeTargets: Target[] } }
    const { activeTargets } = data
    if (activeTargets.length > 0 && activeTargets.every(({ health }) => health !== 'unknown'))
      return new Map(activeTargets.map((target) => [target.labels.job, target]))
  }
  throw new Error('Prometheus does not scrape')
}
