// ListenerProperties: the properties of one listener. `listener.name.NAME.PROPERTY` goes before `PROPERTY`, and what SASL goes
// by before both under the name of the mechanism, `listener.name.NAME.MECHANISM.PROPERTY`, as in Apache Kafka. The HTTP server
// is no listener of Kafka's, and has `http.PROPERTY`. Network thread.

import type { ConfigSpec } from '../storage/config.ts'

/** What was set, as text, and by whom. */
export interface GivenProperty {
  readonly text: string
  readonly origin: string
  /** It may be a secret, whatever the type of the property: no message shows it. */
  readonly isHidden?: boolean
}

/** By property name. */
export type GivenProperties = ReadonlyMap<string, GivenProperty>

/** The name of a property that belongs to one listener, taken apart; all in lower case. */
export interface ListenerPropertyName {
  /** Undefined: the HTTP server. */
  readonly listener: string | undefined
  /** Of SASL: 'scram-sha-256'. */
  readonly mechanism: string | undefined
  /** The property that it sets for the listener. */
  readonly property: string
}

/** A property by its name, and the values of a table of them. */
type ConfigTable = Readonly<Record<string, ConfigSpec>>

export type ValuesOf<Table extends ConfigTable> = {
  readonly [Name in keyof Table]: Table[Name] extends ConfigSpec<infer Value> ? Value : never
}

/** The properties that a listener may have of its own; names of listeners may have dots. */
const LISTENER_PROPERTY =
  /^listener\.name\.(.+?)\.((?:ssl|sasl)\..+|connections\.max\.reauth\.ms|principal\.builder\.class)$/
const HTTP_PROPERTY = /^http\.((?:ssl|sasl\.oauthbearer)\..+|sasl\.jaas\.config)$/
const WITH_MECHANISM = /^(.+)\.(gssapi|plain|scram-sha-256|scram-sha-512|oauthbearer)$/

/** @returns undefined when the name is not that of a property of one listener */
export function listenerPropertyName(name: string): ListenerPropertyName | undefined {
  const [, ofHttp] = HTTP_PROPERTY.exec(name.toLowerCase()) ?? []
  if (ofHttp !== undefined) return { listener: undefined, mechanism: undefined, property: ofHttp }
  const [, owner, property] = LISTENER_PROPERTY.exec(name.toLowerCase()) ?? []
  if (owner === undefined || property === undefined) return undefined
  const [, listener, mechanism] = WITH_MECHANISM.exec(owner) ?? []
  if (listener === undefined || property.startsWith('ssl.'))
    return { listener: owner, mechanism: undefined, property }
  return { listener, mechanism, property }
}

export class ListenerProperties {
  readonly #prefix: string
  readonly #given: GivenProperties

  /**
   * @param listener its name, in either case; undefined: the HTTP server
   * @param given checked: every text is allowed for its property
   */
  constructor(listener: string | undefined, given: GivenProperties) {
    this.#prefix = listener === undefined ? 'http.' : `listener.name.${listener.toLowerCase()}.`
    this.#given = given
  }

  /** The values of a table's properties for this listener. @param mechanism whose own values go first */
  read<Table extends ConfigTable>(table: Table, mechanism?: string): ValuesOf<Table> {
    const values = Object.entries(table).map(([name, spec]) => {
      const text = this.#given.get(this.nameOf(name, mechanism))?.text ?? spec.default
      return [name, spec.parse(text)]
    })
    return Object.fromEntries(values) as ValuesOf<Table>
  }

  /** The name under which a property is set for this listener, for messages; its plain name when nothing sets it. */
  nameOf(name: string, mechanism?: string): string {
    const own = this.#prefix + name
    const names =
      mechanism === undefined ? [own] : [`${this.#prefix}${mechanism.toLowerCase()}.${name}`, own]
    return names.find((each) => this.#given.has(each)) ?? name
  }
}
