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

export function lineOf({ api, version, what }: Question, answer: unknown, topicId: string): string {
  const text = JSON.stringify(comparable(answer, OF_EACH_BROKER)).replaceAll(topicId, 'ID OF logs')
  return `${api.name} ${version}, ${what}: ${text}`
}

/** The line of each question, by what comes before its answer. */
export function recorded(): readonly string[] {
  return readFileSync(recordedAt, 'utf8').trimEnd().split('\n')
}

/** Those that need a permission. */
export function* deniedQuestions(topicId: string, exempt: readonly string[]): Generator<Question> {
  for (const question of questions(topicId)) if (!exempt.includes(question.api.name)) yield question
}
