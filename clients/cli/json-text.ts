// JsonText: JSON as text, for numbers that JavaScript would round: 2^53 + 1, 1.10 and 1e400 keep their digits. Pure.

const STRING = String.raw`"(?:[^"\\]|\\.)*"`
const SPACE = new RegExp(String.raw`${STRING}|\s+`, 'g')
const MARK = new RegExp(String.raw`${STRING}|\{\}|\[\]|[{}[\],:]`, 'g')

/** Text without this shape is no JSON. The test costs a hundredth of an error. */
const SHAPE =
  /^[ \t\n\r]*(?:\{.*\}|\[.*\]|".*"|-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?|true|false|null)[ \t\n\r]*$/s

/** @returns the JSON in the text; undefined if the text is no JSON */
export function parsedJson(text: string): unknown {
  if (!SHAPE.test(text)) return undefined
  const { stackTraceLimit } = Error
  Error.stackTraceLimit = 0 // half of the cost of an error that nobody sees
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  } finally {
    Error.stackTraceLimit = stackTraceLimit
  }
}

/** Without white space between the tokens. @param json valid */
export function compactJson(json: string): string {
  return json.replace(SPACE, (token) => (token.startsWith('"') ? token : ''))
}

/** As `JSON.stringify(value, null, 2)` lays it out. @param json valid and compact */
export function indentedJson(json: string): string {
  let depth = 0
  const line = () => `\n${'  '.repeat(depth)}`
  return json.replace(MARK, (token) => {
    if (token === '{' || token === '[') return `${token}${(depth++, line())}`
    if (token === '}' || token === ']') return `${(depth--, line())}${token}`
    if (token === ',') return `,${line()}`
    return token === ':' ? ': ' : token
  })
}

/** The text of an object's member; undefined without one. The last of a name counts, as in `JSON.parse`. @param json valid */
export function memberText(json: string, name: string): string | undefined {
  let found: string | undefined
  for (const { key, text } of parts(json))
    if (key !== undefined && JSON.parse(key) === name) found = text
  return found
}

/** The texts of an array's elements. @param json valid */
export function elementTexts(json: string): string[] {
  return [...parts(json)].map(({ text }) => text)
}

/** The items between the outermost brackets, which commas separate; in an object with their keys. */
function* parts(json: string): Generator<{ key: string | undefined; text: string }> {
  let depth = 0
  let from = 0
  let lastString: string | undefined
  let key: string | undefined
  for (const { 0: token, index } of json.matchAll(MARK)) {
    const isEnd = token === '}' || token === ']'
    if (depth === 1 && (isEnd || token === ',')) {
      const text = json.slice(from, index).trim()
      if (text !== '') yield { key, text }
      key = undefined
    }
    if (depth === 1 && token === ':' && key === undefined) key = lastString
    if (token.startsWith('"')) lastString = token
    if (token === '{' || token === '[') depth++
    else if (isEnd) depth--
    if (depth === 1 && '{[,:'.includes(token)) from = index + 1
  }
}
