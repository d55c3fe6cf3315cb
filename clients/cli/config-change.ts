// Changes a configuration, and prints the values before and after: `config set|unset` and `topic alter`.

import {
  configResourceText,
  ownSource,
  type ConfigChange,
  type ConfigEntry,
  type ConfigSynonym,
} from '../admin/configs.ts'
import type { Session } from './session.ts'

export interface ChangeOptions {
  readonly dryRun?: boolean
  readonly json?: boolean
}

/** Prints a row for each configuration; with --dry-run it only checks. */
export async function alterAndTell(
  { client, stdout, paint, notes }: Session,
  changes: readonly ConfigChange[],
  options: ChangeOptions,
): Promise<void> {
  const { configs } = client.admin()
  const resources = changes.map(({ resource }) => resource)
  const before = await configs.describe(resources)
  await configs.alter(changes, { validateOnly: options.dryRun })
  const after = options.dryRun === true ? before : await configs.describe(resources)
  const rows = changes.flatMap((change, i) =>
    namesOf(change).map((name) => {
      const now = entryOf(after[i]!.entries, name)
      return {
        of: configResourceText(change.resource),
        name,
        before: entryOf(before[i]!.entries, name)?.value,
        value: options.dryRun === true ? plannedValue(change, name, now) : now?.value,
      }
    }),
  )
  await stdout.rows(options, ['OF', 'NAME', 'BEFORE', 'NOW'], rows, paint)
  if (options.dryRun === true) notes.say('dry run: nothing was changed')
}

function namesOf({ set = {}, unset = [], append = {}, subtract = {} }: ConfigChange): string[] {
  return [...Object.keys({ ...set, ...append, ...subtract }), ...unset]
}

function entryOf(entries: readonly ConfigEntry[], name: string): ConfigEntry | undefined {
  return entries.find((entry) => entry.name === name)
}

/** @param now the entry before the change */
function plannedValue(
  { resource, set = {}, unset = [], append = {}, subtract = {} }: ConfigChange,
  name: string,
  now: ConfigEntry | undefined,
): string | null | undefined {
  const value = set[name]
  if (value !== undefined) return String(value)
  if (unset.includes(name)) {
    const next = now?.synonyms.find(({ source }) => source !== ownSource(resource))
    return next && valueFor(name, next)
  }
  return `${now?.value ?? ''} ${append[name] === undefined ? '-' : '+'} ${append[name] ?? subtract[name]}`
}

const UNIT_MS = { minutes: 60_000, hours: 3_600_000 } as const

/** `log.retention.hours=168` sets `retention.ms`. */
function valueFor(name: string, synonym: ConfigSynonym): string | null {
  const unit = /\.(minutes|hours)$/.exec(synonym.name)?.[1] as keyof typeof UNIT_MS | undefined
  if (unit === undefined || !name.endsWith('.ms') || synonym.value === null) return synonym.value
  return String(Number(synonym.value) * UNIT_MS[unit])
}
