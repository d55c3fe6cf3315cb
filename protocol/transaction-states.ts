// The states of a transaction, by Kafka's names. Pure. Source: KIP-98.

/** By Kafka's numbers. */
export const transactionStates = [
  'Empty',
  'Ongoing',
  'PrepareCommit',
  'PrepareAbort',
  'CompleteCommit',
  'CompleteAbort',
] as const

/** Including two states that no coordinator stores: 'Dead' is forgotten, 'PrepareEpochFence' is never written. */
export const allTransactionStates = [...transactionStates, 'Dead', 'PrepareEpochFence'] as const
