// leader-epoch-checkpoint: which leader epoch began at which offset, in Kafka's own text format. We write it for tools and
// for a move to Kafka; our own source is the recovery checkpoint. Writer thread. Format: docs/formats/recovery.md

import { join } from 'node:path'
import { readText, replaceText } from '../text-file.ts'
import type { Fs } from '../fs.ts'
import { LEADER_EPOCH_FILE } from '../layout.ts'
import type { EpochStart } from '../log-facts.ts'

const VERSION = 0

/** @param directoryPath of the partition. Not synced: what is lost here is known elsewhere */
export function writeEpochFile(fs: Fs, directoryPath: string, epochs: readonly EpochStart[]): void {
  const lines = epochs.map(({ epoch, startOffset }) => `${epoch} ${startOffset}\n`)
  const text = `${VERSION}\n${epochs.length}\n${lines.join('')}`
  replaceText(fs, directoryPath, LEADER_EPOCH_FILE, text, { isDurable: false })
}

/** @returns the largest epoch that the file names; undefined when it is missing or says nothing sensible */
export function lastEpochInFile(fs: Fs, directoryPath: string): number | undefined {
  const text = readText(fs, join(directoryPath, LEADER_EPOCH_FILE))
  const [version, count, ...lines] = text?.trimEnd().split('\n') ?? []
  if (version !== String(VERSION) || count !== String(lines.length)) return undefined
  const epochs = lines.map((line) => Number(line.split(' ')[0]))
  return epochs.every((epoch) => Number.isSafeInteger(epoch)) ? epochs.at(-1) : undefined
}
