// meta.json: the identity of a data directory: format version, cluster id, node id. Written once, before any other
// file.
// Network thread, at start. Format: docs/formats/data-directory.md

import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { KafkaError } from '../protocol/errors.ts'
import type { Uuid } from '../protocol/ids.ts'
import type { Fs } from './fs.ts'
import { LOCK_FILE, META_FILE, UNFINISHED_SUFFIX } from './layout.ts'
import { readText, replaceText } from './text-file.ts'
import { OWNER_FILE, TAKEOVER_FILE } from './lock.ts'

/** Rises when older code can no longer read a directory of this version. */
export const FORMAT_VERSION = 1

const FIRST_NODE_ID = 1

export interface Meta {
  readonly formatVersion: number
  readonly clusterId: Uuid
  readonly nodeId: number
}

/** A random id whose text does not start with '-', as Kafka's tools want it. */
export function randomUuid(): Uuid {
  for (;;) {
    const text = randomBytes(16).toString('base64url')
    if (!text.startsWith('-')) return text
  }
}

/** @throws {Error} that says what to do, when the file is missing or of a format that this version does not know */
export function readMeta(fs: Fs, dataDir: string): Meta {
  const path = join(dataDir, META_FILE)
  const found = readText(fs, path)
  if (found !== undefined) return parseMeta(path, found)
  throw new Error(`${dataDir} is no millrace data directory: it has no ${META_FILE}.`)
}

/**
 * Reads `meta.json`, or writes it when the directory is new.
 *
 * @param dataDir exists, and this process has the lock
 * @param nodeId the wanted id; undefined: the directory's own
 * @throws {Error} that says what to do, when the directory is not millrace's or of a format that this version does
 *   not know
 * @throws {KafkaError} INVALID_CONFIG when the directory is another node's, as in Apache Kafka
 */
export function readOrCreateMeta(fs: Fs, dataDir: string, nodeId: number | undefined): Meta {
  const path = join(dataDir, META_FILE)
  const found = readText(fs, path)
  if (found !== undefined) return checkNode(path, parseMeta(path, found), nodeId)
  refuseStrangers(fs, dataDir)
  const meta: Meta = {
    formatVersion: FORMAT_VERSION,
    clusterId: randomUuid(),
    nodeId: nodeId ?? FIRST_NODE_ID,
  }
  const text = `${JSON.stringify(meta, undefined, 2)}\n`
  replaceText(fs, dataDir, META_FILE, text, { isDurable: true })
  return meta
}

/**
 * Call it before anything is written to a directory, the lock included.
 *
 * @throws {Error} that says what to do, when it has no `meta.json` but foreign files
 */
export function refuseStrangers(fs: Fs, dataDir: string): void {
  const names = fs.readDirectory(dataDir).map((entry) => entry.name)
  if (names.includes(META_FILE)) return
  const ours = [META_FILE + UNFINISHED_SUFFIX, LOCK_FILE, OWNER_FILE, TAKEOVER_FILE]
  const strangers = names.filter((name) => !ours.includes(name))
  if (strangers.length === 0) return
  throw new Error(
    `${dataDir} is no millrace data directory: it has no ${META_FILE} but holds ${strangers[0]}. ` +
      'Use an empty directory, or put the file back from a backup.',
  )
}

/** Settings that clients changed for this node are stored under its id: with another id they would be lost. */
function checkNode(path: string, meta: Meta, nodeId: number | undefined): Meta {
  if (nodeId === undefined || nodeId === meta.nodeId) return meta
  throw new KafkaError(
    'INVALID_CONFIG',
    `node.id=${nodeId}, and ${path} says node ${meta.nodeId}: take node.id away, or use another directory`,
  )
}

function parseMeta(path: string, text: string): Meta {
  let meta: unknown
  try {
    meta = JSON.parse(text)
  } catch {
    throw new Error(`${path} is not JSON: put it back from a backup.`)
  }
  if (typeof meta !== 'object' || meta === null || !('formatVersion' in meta)) {
    throw new Error(`${path} has no formatVersion: put it back from a backup.`)
  }
  if (meta.formatVersion !== FORMAT_VERSION) {
    throw new Error(
      `${path} says format version ${String(meta.formatVersion)}, and this millrace knows ${FORMAT_VERSION}: ` +
        'start the version that wrote the directory, or a newer one.',
    )
  }
  const { clusterId, nodeId } = meta as Partial<Meta>
  const isUuid = typeof clusterId === 'string' && /^[A-Za-z0-9_-]{22}$/.test(clusterId)
  if (!isUuid || typeof nodeId !== 'number' || !Number.isInteger(nodeId) || nodeId < 0) {
    throw new Error(`${path} has no valid clusterId and nodeId: put it back from a backup.`)
  }
  return { formatVersion: FORMAT_VERSION, clusterId, nodeId }
}
