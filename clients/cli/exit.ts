// Exit codes, and the code for each error. Main thread. Table for users: docs/guide/cli.md

import { types } from 'node:util'
import { KafkaError, type ErrorName } from '../../protocol/errors.ts'
import { PartialError } from '../partial-error.ts'

export const exitCodes = {
  ok: 0,
  failed: 1,
  usage: 2,
  notFound: 3,
  notAuthorised: 4,
  unreachable: 5,
  partial: 6,
  interrupted: 130,
} as const

export type Exit = keyof typeof exitCodes

/** An error whose message is written for the user: it is printed unchanged. */
export class CliError extends Error {
  override readonly name = 'CliError'
  readonly exit: Exit

  constructor(exit: Exit, message: string, options?: ErrorOptions) {
    super(message, options)
    this.exit = exit
  }
}

const exitByCode: Partial<Record<ErrorName, Exit>> = {
  UNKNOWN_TOPIC_OR_PARTITION: 'notFound',
  UNKNOWN_TOPIC_ID: 'notFound',
  RESOURCE_NOT_FOUND: 'notFound',
  GROUP_ID_NOT_FOUND: 'notFound',
  TRANSACTIONAL_ID_NOT_FOUND: 'notFound',
  TOPIC_AUTHORIZATION_FAILED: 'notAuthorised',
  GROUP_AUTHORIZATION_FAILED: 'notAuthorised',
  CLUSTER_AUTHORIZATION_FAILED: 'notAuthorised',
  TRANSACTIONAL_ID_AUTHORIZATION_FAILED: 'notAuthorised',
  SASL_AUTHENTICATION_FAILED: 'notAuthorised',
  UNSUPPORTED_SASL_MECHANISM: 'notAuthorised',
  ILLEGAL_SASL_STATE: 'notAuthorised',
  TLS_FAILED: 'unreachable',
  BROKER_NOT_AVAILABLE: 'unreachable',
  NETWORK_EXCEPTION: 'unreachable',
  REQUEST_TIMED_OUT: 'unreachable',
}

/** The exit code for this error. */
export function exitOf(error: unknown): Exit {
  if (error instanceof CliError) return error.exit
  if (
    error instanceof PartialError &&
    error.results.some((result) => !(result instanceof KafkaError))
  )
    return 'partial'
  if (error instanceof KafkaError) return exitByCode[error.code] ?? 'failed'
  return 'failed'
}

const FAILURES_TOLD_MAX = 10

/** A line for stderr, or one for each failed item; with `verbose` also the stack and its causes. */
export function explain(error: unknown, verbose: boolean): string {
  if (!types.isNativeError(error)) return String(error)
  const message = error instanceof PartialError ? failuresOf(error) : error.message
  return verbose ? `${message}\n${stackOf(error)}` : message
}

function failuresOf({ results }: PartialError<unknown>): string {
  const failures = results.filter((result) => result instanceof KafkaError)
  const told = failures.slice(0, FAILURES_TOLD_MAX).map(({ message }) => message)
  const untoldCount = failures.length - told.length
  return [...told, ...(untoldCount === 0 ? [] : [`and ${untoldCount} more`])].join('\n')
}

function stackOf(error: Error): string {
  const cause = types.isNativeError(error.cause) ? `\ncaused by ${stackOf(error.cause)}` : ''
  return (error.stack ?? error.message) + cause
}
