// PartialError: a call with several items of which some failed. Any thread.

import { errorName, KafkaError, type ErrorName } from '../protocol/errors.ts'

/**
 * Some items of a call failed; others may have succeeded.
 *
 * Its `code` is that of the first failure; `results` has the outcome of every item, in the order of the call.
 */
export class PartialError<Result> extends KafkaError {
  readonly results: readonly (Result | KafkaError)[]

  constructor(results: readonly (Result | KafkaError)[]) {
    const failures = results.filter((result) => result instanceof KafkaError)
    const first = failures[0]!
    const what = first.reason
    const message =
      results.length === 1
        ? what
        : `${failures.length} of ${results.length} failed, the first: ${what}`
    super(first.code, message, { cause: first })
    this.results = results
  }
}

/** Asks for each item at once. @throws {PartialError} if any fails */
export async function forEach<Item, R>(
  items: readonly Item[],
  ask: (item: Item) => Promise<R>,
): Promise<R[]> {
  const asked = items.map((item) =>
    ask(item).catch((error: unknown) => {
      if (error instanceof KafkaError) return error
      throw error
    }),
  )
  return wholeOrPartial(await Promise.all(asked))
}

/** @throws {PartialError} if any result is an error */
export function wholeOrPartial<R>(results: readonly (R | KafkaError)[]): R[] {
  if (results.some((each) => each instanceof KafkaError)) throw new PartialError(results)
  return results as R[]
}

/** @param answer undefined: the broker's response lacks this item */
export function refusalOf(
  item: string,
  answer: { readonly errorCode: number; readonly errorMessage?: string | null } | undefined,
): KafkaError | undefined {
  if (answer === undefined)
    return new KafkaError('UNKNOWN_SERVER_ERROR', `${item}: the broker did not answer for it`)
  const name = errorName(answer.errorCode)
  if (name === undefined) return undefined
  return new KafkaError(name, refusalText(name, item, answer.errorMessage))
}

/** Some brokers begin their message with the error's code, which `KafkaError` adds already. */
function refusalText(name: ErrorName, item: string, message: string | null | undefined): string {
  if (!message) return item
  return `${item}: ${message.startsWith(`${name}: `) ? message.slice(name.length + 2) : message}`
}
