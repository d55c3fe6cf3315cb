// Changes of configuration, made and told: what held before, what holds now. `config set|unset` and `topic alter`.

import {
  configResourceText,
  ownSource,
  type ConfigChange,
  type ConfigEntry,
} from '../admin-configs.ts'
import { rowsAs } from './print.ts'
import type { Session } from './session.ts'

export interface ChangeOptions {
  readonly dryRun?: boolean
  readonly json?: boolean
}

/** Prints a row for each configuration; with --dry-run everything is checked and nothing changed. */
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
  await stdout.write(rowsAs(options, ['OF', 'NAME', 'BEFORE', 'NOW'], rows, paint))
  if (options.dryRun === true) notes.say('dry run: nothing was changed')
}

function namesOf({ set = {}, unset = [], append = {}, subtract = {} }: ConfigChange): string[] {
  return [...Object.keys({ ...set, ...append, ...subtract }), ...unset]
}

function entryOf(entries: readonly ConfigEntry[], name: string): ConfigEntry | undefined {
  return entries.find((entry) => entry.name === name)
}

/** @param now the entry as long as nothing has changed */
function plannedValue(
  { resource, set = {}, unset = [], append = {}, subtract = {} }: ConfigChange,
  name: string,
  now: ConfigEntry | undefined,
): string | null | undefined {
  const value = set[name]
  if (value !== undefined) return String(value)
  if (unset.includes(name))
    return now?.synonyms.find(({ source }) => source !== ownSource(resource))?.value
  return `${now?.value ?? ''} ${append[name] === undefined ? '-' : '+'} ${append[name] ?? subtract[name]}`
}
