// The syntax of Java's property files (java.util.Properties), in which Apache Kafka and its clients have their configuration.

/** Spaces in Java's sense: of other white space a value may begin with it. */
const MARGIN = /^[ \t\f]+/
/** A line that joins nothing to the next one, which may be a comment. */
const NOTHING = '\\'
const GOES_ON = /(?<!\\)(?:\\\\)*\\$/
const NAME_AND_VALUE = /^((?:[^\\=: \t\f]|\\.)*)[ \t\f]*[=:]?[ \t\f]*(.*)$/s
const ESCAPE = /\\(?:u([0-9A-Fa-f]{4})|(.))/gs
const ESCAPED: Readonly<Record<string, string>> = { t: '\t', n: '\n', r: '\r', f: '\f' }

export class MalformedProperties extends Error {
  override readonly name = 'MalformedProperties'

  constructor(lineNumber: number, why: string) {
    super(`line ${lineNumber}: ${why}`)
  }
}

/**
 * @param text Java reads files of properties as Latin-1
 * @returns of a name that is there twice, the last value
 * @throws {MalformedProperties}
 */
export function parseJavaProperties(text: string): Map<string, string> {
  const properties = new Map<string, string>()
  for (const { line, lineNumber } of logicalLines(text)) {
    const [, name = '', value = ''] = NAME_AND_VALUE.exec(line) ?? []
    properties.set(unescaped(name, lineNumber), unescaped(value, lineNumber))
  }
  return properties
}

/** Lines without comments and blank lines; a backslash at its end joins a line with the next. */
function* logicalLines(text: string): Iterable<{ line: string; lineNumber: number }> {
  const lines = text.split(/\r\n|\n|\r/)
  for (let i = 0; i < lines.length; i++) {
    const lineNumber = i + 1
    let line = withoutMargin(lines[i])
    if (line.startsWith('#') || line.startsWith('!')) continue
    while (line !== NOTHING && GOES_ON.test(line))
      line = line.slice(0, -1) + withoutMargin(lines[++i])
    if (line !== '' && line !== NOTHING) yield { line, lineNumber }
  }
}

function withoutMargin(line = ''): string {
  return line.replace(MARGIN, '')
}

function unescaped(text: string, lineNumber: number): string {
  return text.replaceAll(ESCAPE, (_, hex?: string, char?: string) => {
    if (hex !== undefined) return String.fromCharCode(Number.parseInt(hex, 16))
    if (char === 'u') throw new MalformedProperties(lineNumber, '\\u wants four digits, 0 to f')
    return ESCAPED[char!] ?? char!
  })
}
