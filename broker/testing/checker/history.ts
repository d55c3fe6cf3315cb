// History: requests to a broker and its answers, in the order in which they happened. Tests only.
// An operation is invoked, and ends ok, or with a failure that says that nothing happened, or never: then it may have
// happened or not.

import type { MarkerKind } from '../../../protocol/batch/control.ts'

export type Isolation = 'read_uncommitted' | 'read_committed'

/** The sender: an instance is one life of a producer, which begins with InitProducerId. */
export interface SequencedSend {
  readonly instance: string
  readonly producerId: number
  readonly producerEpoch: number
  readonly baseSequence: number
}

export interface Batch {
  readonly baseOffset: number
  readonly lastOffset: number
  /** -1 none, like the epoch and the sequence. */
  readonly producerId: number
  readonly producerEpoch: number
  readonly baseSequence: number
  readonly control: MarkerKind | null
  readonly values: readonly string[]
}

export interface SeenRecord {
  readonly offset: number
  readonly value: string
}

/** Each kind's request, and its answer if it is ok. Partitions are written `topic-index`. */
interface Kinds {
  /** InitProducerId of a new instance. */
  init: {
    asked: { readonly transactionalId: string | null; readonly instance: string }
    answer: { readonly producerId: number; readonly producerEpoch: number }
  }
  /** One batch with acks=all. Values are unique to the batch; sending it again is another operation with the same values. */
  send: {
    asked: {
      readonly partition: string
      readonly values: readonly string[]
      readonly producer: SequencedSend | null
      /** Unique in the history. */
      readonly transaction: string | null
    }
    answer: { readonly baseOffset: number }
  }
  /** EndTxn. The answer has the producer's next identity. */
  end: {
    asked: {
      readonly instance: string
      readonly transaction: string
      readonly isCommit: boolean
    }
    answer: { readonly producerId: number; readonly producerEpoch: number }
  }
  /** OffsetCommit, or TxnOffsetCommit in a transaction. */
  commit: {
    asked: {
      readonly group: string
      readonly partition: string
      readonly offset: number
      /** Unique in the history. */
      readonly tag: string
      readonly instance: string | null
      readonly transaction: string | null
    }
    answer: Record<never, never>
  }
  /** OffsetFetch. */
  committed: {
    asked: { readonly group: string; readonly partition: string }
    /** null: no commit. */
    answer: { readonly offset: number; readonly tag: string } | null
  }
  poll: {
    asked: {
      readonly partition: string
      readonly isolation: Isolation
      readonly from: number
      /** Part of the scan from the start to the end of the log, after everything else. */
      readonly isFinal: boolean
    }
    answer: {
      /** In order of arrival, aborted ones included. */
      readonly batches: readonly Batch[]
      /** The records that the application gets. */
      readonly records: readonly SeenRecord[]
      /** The offset of the next poll. */
      readonly next: number
      readonly highWatermark: number
      readonly lastStableOffset: number
    }
  }
  /** A member of a group learns its partitions. */
  own: {
    asked: { readonly group: string; readonly generation: number; readonly member: string }
    answer: { readonly partitions: readonly string[] }
  }
}

export type Kind = keyof Kinds
export type Asked<K extends Kind> = Kinds[K]['asked']
export type Answer<K extends Kind> = Kinds[K]['answer']

export interface OperationOf<K extends Kind> {
  readonly kind: K
  readonly asked: Asked<K>
  /** Position in the history. */
  readonly invokedAt: number
  /** Position in the history; Infinity: unknown. */
  endedAt: number
  outcome: 'ok' | 'fail' | 'info'
  /** Present when the outcome is ok. */
  answer: Answer<K> | undefined
  /** The reason when the outcome is not ok. */
  error: string | undefined
}

/** One operation of the kind, or any. */
export type Operation<K extends Kind = Kind> = K extends Kind ? OperationOf<K> : never

export class History {
  readonly operations: Operation[] = []
  /** The number of events; each has a smaller position. */
  length = 0

  /** An operation that never ends stays `info`. */
  invoke<K extends Kind>(kind: K, asked: Asked<K>): OperationOf<K> {
    const operation: OperationOf<K> = {
      kind,
      asked,
      invokedAt: this.length++,
      endedAt: Infinity,
      outcome: 'info',
      answer: undefined,
      error: undefined,
    }
    this.operations.push(operation as Operation)
    return operation
  }

  ok<K extends Kind>(operation: OperationOf<K>, answer: Answer<K>): void {
    operation.answer = answer
    operation.outcome = 'ok'
    operation.endedAt = this.length++
  }

  /** It has not happened, and never will. */
  fail(operation: Operation, error: string): void {
    operation.error = error
    operation.outcome = 'fail'
    operation.endedAt = this.length++
  }
}

/** One line. */
export function describe({ kind, asked, outcome, answer, error, ...at }: Operation): string {
  const during = `${at.invokedAt}..${at.endedAt === Infinity ? '' : at.endedAt}`
  const result = outcome === 'ok' ? JSON.stringify(answer) : (error ?? '')
  return `[${during}] ${kind} ${JSON.stringify(asked)} ${outcome} ${result}`
}
