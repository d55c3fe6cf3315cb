// leader-epoch-checkpoint: the start offset of each leader epoch, in Kafka's text format. Written for tools and for a
// move to Kafka; millrace itself reads the recovery checkpoint. Writer thread. Format: docs/formats/recovery.md

import { join } from 'node:path'
import { readText, replaceText } from '../text-file.ts'
import type { Fs } from '../fs.ts'
import { LEADER_EPOCH_FILE } from '../layout.ts'
import type { EpochStart } from '../log-facts.ts'

const VERSION = 0

/** @param directoryPath of the partition. Not synced, because the recovery checkpoint has the same facts */
export function writeEpochFile(fs: Fs, directoryPath: string, epochs: readonly EpochStart[]): void {
  const lines = epochs.map(({ epoch, startOffset }) => `${epoch} ${startOffset}\n`)
  const text = `${VERSION}\n${epochs.length}\n${lines.join('')}`
  replaceText(fs, directoryPath, LEADER_EPOCH_FILE, text, { isDurable: false })
}

/** @returns the largest epoch in the file; undefined when it is missing or malformed */
export function lastEpochInFile(fs: Fs, directoryPath: string): number | undefined {
  const text = readText(fs, join(directoryPath, LEADER_EPOCH_FILE))
  const [version, count, ...lines] = text?.trimEnd().split('\n') ?? []
  if (version !== String(VERSION) || count !== String(lines.length)) return undefined
  const epochs = lines.map((line) => Number(line.split(' ')[0]))
  return epochs.every((epoch) => Number.isSafeInteger(epoch)) ? epochs.at(-1) : undefined
}
