// What a broker without security answers to those who ask for it. Network thread.
// Codes are those of an Apache Kafka with a plaintext listener and no authorizer.

/** Message of SECURITY_DISABLED: Kafka's own, by which tools tell why. */
export const NO_AUTHORIZER = 'No Authorizer is configured.'

/** A token's times where there is no token. */
export const NO_TIMESTAMP = -1
