// What a client without any permission hears: Apache Kafka's answers with StandardAuthorizer, recorded beside in denied.txt by
// clients/testing/interop/denied.interop.ts, one line for each question. Tests only.

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

export function lineOf(question: Question, answer: unknown, topicId: string): string {
  const masked = JSON.parse(JSON.stringify(answer).replaceAll(topicId, 'id of logs'))
  return `${titleOf(question)}: ${JSON.stringify(comparable(masked, OF_EACH_BROKER))}`
}

export function recorded(): readonly string[] {
  return linesIn(recordedAt)
}

export function linesIn(at: URL): readonly string[] {
  return readFileSync(at, 'utf8').trimEnd().split('\n')
}

/** Those that need a permission. */
export function* deniedQuestions(topicId: string, exempt: readonly string[]): Generator<Question> {
  for (const question of questions(topicId)) if (!exempt.includes(question.api.name)) yield question
}
