// The mechanisms of SCRAM, and the iterations that Apache Kafka takes: without the arithmetic, which loads node:crypto. Pure.

export type ScramMechanism = 'SCRAM-SHA-256' | 'SCRAM-SHA-512'

/** Kafka's numbers (KIP-554). */
export const scramMechanismCodes: Readonly<Record<ScramMechanism, number>> = {
  'SCRAM-SHA-256': 1,
  'SCRAM-SHA-512': 2,
}

export const scramMechanisms: readonly ScramMechanism[] = ['SCRAM-SHA-256', 'SCRAM-SHA-512']

/** RFC 7677: a server that asks for fewer wants the password cheaply. Apache Kafka stores no fewer. */
export const ITERATIONS_MIN = 4_096

/** Apache Kafka stores no more. */
export const STORED_ITERATIONS_MAX = 16_384

/** As Apache Kafka's tools unless told. */
export const DEFAULT_ITERATIONS = 4_096
