// The file of `--config`: YAML, or a server.properties of Apache Kafka. For users: docs/guide/operations.md, "Apache Kafka's own
// configuration"

import { existsSync, readFileSync } from 'node:fs'
import { KafkaError } from '../protocol/errors.ts'
import {
  isProviderProperty,
  resolveVariables,
  type ProviderSources,
} from '../protocol/config-providers.ts'
import { parseJavaProperties } from '../protocol/java-properties.ts'
import type { ConfigSource } from './config.ts'

/** Variables by name. */
export type Environment = ProviderSources['environment']

/**
 * @param isOptional a missing file sets nothing
 * @throws {KafkaError} INVALID_CONFIG when it cannot be read or is no such file
 */
export async function fileSource(
  path: string,
  environment: Environment,
  isOptional = false,
): Promise<ConfigSource> {
  if (isOptional && !existsSync(path)) return { origin: path, properties: {} }
  try {
    const bytes = readFileSync(path)
    if (isOfKafka(path, bytes.toString())) return kafkaSource(path, bytes, environment)
    return { origin: path, properties: await yamlProperties(bytes.toString()) }
  } catch (error) {
    throw new KafkaError('INVALID_CONFIG', `${path}: ${(error as Error).message}`, { cause: error })
  }
}

/** By the ending of the name; without one that says it, by the first line: `name=value`, and not `name: value`. */
function isOfKafka(path: string, text: string): boolean {
  if (/\.properties$/i.test(path)) return true
  if (/\.ya?ml$/i.test(path)) return false
  const firstLine = text.split(/[\r\n]+/).find((line) => /^\s*[^\s#!]/.test(line)) ?? ''
  return /^\s*[\w.-]+\s*=/.test(firstLine)
}

/** @throws {Error} that says what is wrong with it */
function kafkaSource(path: string, bytes: Buffer, environment: Environment): ConfigSource {
  const written = parseJavaProperties(bytes.toString('latin1'))
  const { properties, fromProviders } = resolveVariables(written, { environment, contentsOf })
  const own = [...properties].filter(([name]) => !isProviderProperty(name))
  return {
    origin: path,
    properties: Object.fromEntries(own),
    hidden: fromProviders,
    isOfKafka: true,
  }
}

/** @throws {Error} */
function contentsOf(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    throw new Error(`${path} cannot be read (${code})`, { cause: error })
  }
}

/** @throws {Error} that says what is wrong with it */
async function yamlProperties(text: string): Promise<Record<string, string>> {
  const { parse } = await import('yaml') // not before: it takes a tenth of a start
  const document: unknown = parse(text) ?? {}
  if (typeof document !== 'object' || document === null || Array.isArray(document))
    throw new Error('want lines of the form "num.partitions: 3"')
  return Object.fromEntries(
    Object.entries(document).map(([name, value]) => [name, scalarText(name, value)]),
  )
}

function scalarText(name: string, value: unknown): string {
  if (Array.isArray(value)) return value.map((item) => scalarText(name, item)).join(',')
  if (['string', 'number', 'boolean'].includes(typeof value)) return String(value)
  throw new Error(`${name}: want one value, or a list of values`)
}
