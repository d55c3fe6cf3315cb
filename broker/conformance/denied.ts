// What a client without any permission hears: Apache Kafka's answers with StandardAuthorizer, recorded beside in denied.txt by
// clients/testing/interop/denied.interop.ts, one line for each question
// and versions in a row that have the same answer. Tests only.

import { readFileSync } from 'node:fs'
import { comparable } from '../testing/comparable.ts'
import { questions, type Question } from '../testing/questions.ts'

export const recordedAt = new URL('../../../broker/conformance/denied.txt', import.meta.url)

const OF_EACH_BROKER = new Set([
  'errorMessage',
  'throttleTimeMs',
  'clusterId',
  'controllerId',
  'host',
  'port',
])

export function titleOf({ api, version, what }: Question): string {
  return `${api.name} ${version}, ${what}`
}

/** What is compared of an answer. */
export function shownAnswer(answer: unknown, topicId: string): string {
  const masked = JSON.parse(JSON.stringify(answer).replaceAll(topicId, 'id of logs'))
  return JSON.stringify(comparable(masked, OF_EACH_BROKER))
}

/** The text for each question, one line for versions in a row that have the same. */
export function inLines(texts: ReadonlyMap<Question, string>): string[] {
  const lines: { readonly first: Question; last: Question; readonly text: string }[] = []
  for (const [question, text] of texts) {
    const { first, last, text: textBefore } = lines.at(-1) ?? {}
    const isNext = first?.api === question.api && first.what === question.what
    if (isNext && text === textBefore && last!.version + 1 === question.version)
      lines.at(-1)!.last = question
    else lines.push({ first: question, last: question, text })
  }
  return lines.map(({ first: { api, version, what }, last, text }) => {
    const versions = version === last.version ? `${version}` : `${version}-${last.version}`
    return `${api.name} ${versions}, ${what}: ${text}`
  })
}

const LINE = /^(.*?)(\d+)(?:-(\d+))?(, [^:]*): (.*)$/

/** The text for each question on record, by its title. */
export function textsIn(at: URL): Map<string, string> {
  const texts = new Map<string, string>()
  for (const line of linesIn(at)) {
    const [, begin, from, to = from, what, text] = LINE.exec(line)!
    for (let version = Number(from); version <= Number(to); version++)
      texts.set(`${begin}${version}${what}`, text!)
  }
  return texts
}

export function linesIn(at: URL): readonly string[] {
  return readFileSync(at, 'utf8').trimEnd().split('\n')
}

/** Those that need a permission. */
export function* deniedQuestions(
  topicId: string,
  exempt: readonly string[],
  isEvery: boolean,
): Generator<Question> {
  for (const question of questions(topicId, isEvery))
    if (!exempt.includes(question.api.name)) yield question
}
