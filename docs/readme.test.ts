// Tests the README: its limits are those of the tables, and its links lead somewhere. blocks.test.ts runs its code.

import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import t from '../protocol/testing/tap.ts'
import { brokerConfigs } from '../broker/config.ts'
import { topicConfigs } from '../storage/config.ts'
import { pages, textOf } from './pages.ts'
import { root } from './sources.ts'

const readme = textOf('README.md')

t.test('the limits are the defaults of the tables', async (t) => {
  const defaults: Record<string, { default: string }> = { ...topicConfigs, ...brokerConfigs }
  const limits = [...readme.matchAll(/`([a-z.]+)` = (\d+)/g)]
  t.ok(limits.length >= 4)
  for (const [, name, value] of limits) t.equal(defaults[name!]?.default, value, name!)
})

t.test('the package holds what its README links to', async (t) => {
  const args = ['pack', '--dry-run', '--json', '--ignore-scripts']
  const command = process.platform === 'win32' ? 'npm.cmd' : 'npm'
  const packed = execFileSync(command, args, {
    cwd: fileURLToPath(root),
    encoding: 'utf8',
    stdio: 'pipe',
  })
  const answer = JSON.parse(packed) as Record<string, Packed> | Packed[]
  const { files } = Object.values(answer)[0] as Packed
  const isHeld = (link: string) =>
    files.some(({ path }) => path === link || path.startsWith(`${link}/`))
  const links = [...readme.matchAll(/\]\((?!https?:)([^)#]+)/g)].map(([, target]) => target!)
  t.ok(links.length > 10)
  t.strictSame(
    links.filter((link) => !isHeld(link)),
    [],
  )
})

interface Packed {
  readonly files: readonly { readonly path: string }[]
}

t.test('every relative link leads somewhere', async (t) => {
  for (const page of pages) {
    const url = new URL(page, root)
    for (const [, target] of textOf(page).matchAll(/\]\((?!https?:|#)([^)#]+)/g)) {
      t.ok(existsSync(new URL(target!, url)), `${page} -> ${target}`)
    }
  }
})

t.test('the reference of the API has every value that the package exports', async (t) => {
  const reference = textOf('docs/reference/client.md')
  for (const name of ['client', 'broker', 'testing', 'protocol']) {
    const exported = (await import(new URL(`dist/bundle/${name}.js`, root).href)) as object
    for (const each of Object.keys(exported))
      t.ok(reference.includes(name === 'protocol' ? `\`${each}\`` : `### ${each}\n`), each)
  }
})

t.test('the reference of the command line has every verb that the guide names', async (t) => {
  const reference = textOf('docs/reference/cli.md')
  const [table = ''] = textOf('docs/guide/cli.md').split('Data goes to stdout')
  const rows = [...table.matchAll(/^\| `(\w+).*?\| /gm)].map(([row]) => row)
  t.ok(rows.length > 8)
  for (const row of rows) {
    const [group, first, ...others] = row.match(/(?<=[ `])[a-z]+(?=[ `])/g)!
    const verbs = first === undefined || group === 'tail' ? [group] : [`${group} ${first}`]
    if (group !== 'tail') verbs.push(...others.map((verb) => `${group} ${verb}`))
    for (const verb of verbs) t.ok(reference.includes(`## millrace ${verb}\n`), verb)
  }
})
