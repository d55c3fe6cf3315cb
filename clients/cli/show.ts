// Show: the only way of text to the terminal. Foreign names, keys, values and errors cannot move the cursor, change
// the colour or ring the bell: output is of type `Shown`, and only this module makes it from a plain string. Pure.

const styles = {
  bold: 1,
  dim: 2,
  red: 31,
  green: 32,
  yellow: 33,
  blue: 34,
  magenta: 35,
  cyan: 36,
} as const
export type Style = keyof typeof styles

/** Text that a terminal may show unchanged. */
export class Shown {
  readonly text: string

  /** @param text already harmless */
  constructor(text: string) {
    this.text = text
  }

  toString(): string {
    return this.text
  }
}

/** A template of text for the terminal; makes its values harmless, unless they are `Shown`. */
export function show(
  parts: readonly string[],
  ...values: readonly (string | number | Shown)[]
): Shown {
  const texts = values.map((value) => (value instanceof Shown ? value.text : harmless(`${value}`)))
  return new Shown(parts.map((part, i) => part + (texts[i] ?? '')).join(''))
}

export function joined(pieces: readonly Shown[], separator = ''): Shown {
  return new Shown(pieces.map(({ text }) => text).join(separator))
}

/** Colours text, or returns it unchanged. */
export type Paint = (style: Style, text: string | Shown) => Shown

const plain: Paint = (_style, text) => show`${text}`
const ansi: Paint = (style, text) => {
  const shown = show`${text}`
  return shown.text === '' ? shown : new Shown(`\u001b[${styles[style]}m${shown.text}\u001b[0m`)
}

/** NO_COLOR and FORCE_COLOR (https://no-color.org) decide, else whether the stream is a terminal. */
export function paintFor(
  stream: { readonly isTTY?: boolean },
  env: Readonly<Record<string, string | undefined>>,
): Paint {
  const { NO_COLOR, FORCE_COLOR } = env
  if (NO_COLOR !== undefined && NO_COLOR !== '') return plain
  if (FORCE_COLOR !== undefined && FORCE_COLOR !== '') return FORCE_COLOR === '0' ? plain : ansi
  return stream.isTTY === true ? ansi : plain
}

/** C0, DEL and C1 controls but tab and newline, and characters that reverse the direction of text. */
const HARMFUL = /[^\P{Cc}\t\n]|[\u202a-\u202e\u2066-\u2069]/gu

/** Writes `\x1b` instead of an escape character. */
function harmless(text: string): string {
  return text.replace(HARMFUL, (character) => {
    const code = character.charCodeAt(0)
    return code < 256 ? `\\x${code.toString(16).padStart(2, '0')}` : `\\u${code.toString(16)}`
  })
}

/** For JSON, which has C0 controls escaped already; plain ranges, which are fast. */
const HARMFUL_IN_JSON = /[\x7f-\x9f\u202a-\u202e\u2066-\u2069]/g

/** The same for JSON text, which stays JSON with the same meaning. */
export function harmlessJson(json: string): Shown {
  if (json.search(HARMFUL_IN_JSON) === -1) return new Shown(json)
  const escaped = json.replace(HARMFUL_IN_JSON, (character) => {
    return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`
  })
  return new Shown(escaped)
}

const NOT_PLAIN = /[^\x20\x21\x23-\x5b\x5d-\x7e]/
const NOT_ASCII = /[\x7f-\xff]/

/**
 * ASCII as a JSON string. Most printed text is ASCII, and JSON escapes all harmful characters in it.
 *
 * @param text bytes as Latin-1
 * @returns '' if it is the same between quotes; undefined if it is not ASCII, or still harmful as JSON
 */
export function asciiJson(text: string): string | undefined {
  if (!NOT_PLAIN.test(text)) return ''
  return NOT_ASCII.test(text) ? undefined : JSON.stringify(text)
}

/** One line of NDJSON. */
export function jsonLine(value: unknown): Shown {
  return show`${harmlessJson(JSON.stringify(value))}\n`
}
