// The features of the broker (KIP-584), by which clients choose how they work. Their levels are fixed: the broker has one way
// of doing each thing.

/** Clients use the transactions of KIP-890 (Produce 12, TxnOffsetCommit 5, EndTxn 5) when they see this feature. */
export const TRANSACTION_VERSION = { name: 'transaction.version', level: 2 } as const

/** @returns undefined for a feature that the broker does not have */
export function levelOf(feature: string): number | undefined {
  return feature === TRANSACTION_VERSION.name ? TRANSACTION_VERSION.level : undefined
}
