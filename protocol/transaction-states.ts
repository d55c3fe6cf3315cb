// The states of a transaction, by Kafka's names. Pure. Source: KIP-98.

/** As Kafka numbers them. */
export const transactionStates = [
  'Empty',
  'Ongoing',
  'PrepareCommit',
  'PrepareAbort',
  'CompleteCommit',
  'CompleteAbort',
] as const

/** With those in which no coordinator keeps one: 'Dead' has been forgotten, 'PrepareEpochFence' is never written. */
export const allTransactionStates = [...transactionStates, 'Dead', 'PrepareEpochFence'] as const
