// The answers of a broker without security. Network thread.
// Codes are those of an Apache Kafka with a plaintext listener and no authorizer.

/** Kafka's message of SECURITY_DISABLED, which its tools print. */
export const NO_AUTHORIZER = 'No Authorizer is configured.'

/** The times of a token in an answer without a token. */
export const NO_TIMESTAMP = -1
