// The files that TLS of a listener is made of, as bytes. Network thread.

import { open } from 'node:fs/promises'
import { refused } from './refused.ts'
import type { TlsConfig, TlsConfigName } from './tls-configs.ts'

/** No store is so large. */
const FILE_BYTES_MAX = 1024 * 1024

/** Undefined where no file is set. */
export interface StoreFiles {
  readonly keyStore: Buffer | undefined
  readonly trustStore: Buffer | undefined
}

/** @throws {KafkaError} INVALID_CONFIG for a file that cannot be read, or is too large */
export async function readStores(config: TlsConfig): Promise<StoreFiles> {
  const keyStore = await read(config, 'ssl.keystore.location')
  const isTrusting = config.values['ssl.client.auth'] !== 'none'
  const trustStore = isTrusting ? await read(config, 'ssl.truststore.location') : undefined
  return { keyStore, trustStore }
}

export function areSame(a: StoreFiles, b: StoreFiles): boolean {
  return isSame(a.keyStore, b.keyStore) && isSame(a.trustStore, b.trustStore)
}

function isSame(a: Buffer | undefined, b: Buffer | undefined): boolean {
  return a === undefined || b === undefined ? a === b : a.equals(b)
}

const words: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file',
  EACCES: 'the broker may not read it',
  EISDIR: 'it is a directory, expected a file',
}

async function read(config: TlsConfig, name: TlsConfigName): Promise<Buffer | undefined> {
  const path = config.values[name] as string
  if (path === '') return undefined
  try {
    await using file = await open(path)
    const { bytesRead, buffer } = await file.read(Buffer.alloc(FILE_BYTES_MAX + 1), 0)
    if (bytesRead <= FILE_BYTES_MAX) return buffer.subarray(0, bytesRead)
  } catch (error) {
    const { code = '', message } = error as NodeJS.ErrnoException
    throw refused(config, name, words[code] ?? message, error)
  }
  throw refused(config, name, `it has more than ${FILE_BYTES_MAX} bytes, expected a key store`)
}
