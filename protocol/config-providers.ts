// Values of a property file of Kafka's that lie elsewhere, by Apache Kafka's config providers (KIP-297, KIP-421): ${env:NAME},
// ${file:PATH:NAME}, ${directory:PATH:NAME}, under the names that `config.providers` gives them. Where Kafka leaves what it does
// not find as it is written, this is an error: a password would be "${env:PASSWORD}".

import { basename, join, resolve, sep } from 'node:path'
import { parseJavaProperties } from './java-properties.ts'

/** Where the values lie. */
export interface ProviderSources {
  readonly environment: Readonly<Record<string, string | undefined>>
  /** All of a file. @throws {Error} that says why it cannot be read */
  readonly contentsOf: (path: string) => string
}

type Properties = ReadonlyMap<string, string>

/** @returns the value. @throws {Error} that says why there is none */
type Provider = (path: string, name: string) => string

/** @param params `config.providers.NAME.param.*` */
type ProviderMaker = (params: Properties, sources: ProviderSources) => Provider

const PROPERTY = 'config.providers'
const PACKAGE = 'org.apache.kafka.common.config.provider.'
const makers: ReadonlyMap<string, ProviderMaker> = new Map([
  [`${PACKAGE}EnvVarConfigProvider`, environmentProvider],
  [`${PACKAGE}FileConfigProvider`, fileProvider],
  [`${PACKAGE}DirectoryConfigProvider`, directoryProvider],
])

/** ${provider:path:name} or ${provider:name}, as in Kafka; and a path may begin with the letter of a drive. */
const VARIABLE = /\$\{([^}:]*):(?:((?:[A-Za-z]:(?=[\\/]))?[^}:]*):)?([^}]*?)\}/g

/** Of the providers themselves. */
export function isProviderProperty(name: string): boolean {
  return name === PROPERTY || name.startsWith(`${PROPERTY}.`)
}

/**
 * @returns the same properties with the values of their variables, and the names of those that had some
 * @throws {Error} which property, which variable, and why; without a value
 */
export function resolveVariables(properties: Properties, sources: ProviderSources) {
  const providers = providersOf(properties, sources)
  const fromProviders = new Set<string>()
  const resolved = new Map<string, string>()
  for (const [name, text] of properties) {
    const value = isProviderProperty(name)
      ? text
      : text.replaceAll(VARIABLE, (variable, provider: string, path = '', key: string) => {
          const provide = providers.get(provider)
          const refused = (why: string) => new Error(`${name}: ${variable}: ${why}`)
          if (provide === undefined) throw refused(`${PROPERTY} does not name ${provider}`)
          fromProviders.add(name)
          try {
            return provide(path, key)
          } catch (error) {
            throw refused((error as Error).message)
          }
        })
    resolved.set(name, value)
  }
  return { properties: resolved, fromProviders }
}

/** @throws {Error} for a class that is not one of Kafka's three */
function providersOf(properties: Properties, sources: ProviderSources): Map<string, Provider> {
  const providers = new Map<string, Provider>()
  for (const name of listItems(properties.get(PROPERTY) ?? '')) {
    const property = `${PROPERTY}.${name}.class`
    const className = properties.get(property)?.trim()
    if (className === undefined) throw new Error(`${PROPERTY}=${name}: ${property} is missing`)
    const make = makers.get(className)
    if (make === undefined) {
      const known = [...makers.keys()].join(', ')
      throw new Error(`${property}=${className}: there are no classes of Java here, only ${known}`)
    }
    const prefix = `${PROPERTY}.${name}.param.`
    const params = [...properties].filter(([each]) => each.startsWith(prefix))
    const named = params.map(([each, value]) => [each.slice(prefix.length), value] as const)
    providers.set(name, make(new Map(named), sources))
  }
  return providers
}

function environmentProvider(params: Properties, { environment }: ProviderSources): Provider {
  const allowed = params.get('allowlist.pattern')
  const pattern = allowed === undefined ? undefined : patternOf(allowed)
  return (path, name) => {
    if (path !== '') throw new Error('a variable of the environment has no path')
    if (pattern?.test(name) === false) throw new Error(`allowlist.pattern does not allow ${name}`)
    const value = environment[name]
    if (value === undefined) throw new Error(`the environment has no ${name}`)
    return value
  }
}

/** @throws {Error} */
function patternOf(text: string): RegExp {
  try {
    return new RegExp(`^(?:${text})$`)
  } catch {
    throw new Error(`allowlist.pattern=${text}: it is no regular expression`)
  }
}

/** The file is one of Java's properties, in UTF-8. */
function fileProvider(params: Properties, { contentsOf }: ProviderSources): Provider {
  const checkPath = pathCheckOf(params)
  return (path, name) => {
    checkPath(path)
    const value = parseJavaProperties(contentsOf(path)).get(name)
    if (value === undefined) throw new Error(`${path} has no ${name}`)
    return value
  }
}

/** The value is all of a file in the directory. */
function directoryProvider(params: Properties, { contentsOf }: ProviderSources): Provider {
  const checkPath = pathCheckOf(params)
  return (path, name) => {
    checkPath(path)
    if (basename(name) !== name || name === '') throw new Error('want the name of a file')
    return contentsOf(join(path, name))
  }
}

function pathCheckOf(params: Properties): (path: string) => void {
  const allowed = params.get('allowed.paths')
  const roots = allowed === undefined ? undefined : listItems(allowed).map((each) => resolve(each))
  return (path) => {
    if (path === '') throw new Error('want a path before the name')
    const own = resolve(path)
    if (roots?.every((root) => own !== root && !own.startsWith(root + sep)))
      throw new Error(`allowed.paths does not allow ${path}`)
  }
}

/** An empty text has no items. */
function listItems(text: string): string[] {
  return text.trim() === '' ? [] : text.split(',').map((item) => item.trim())
}
