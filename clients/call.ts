// What every call of the client takes: a signal and a timeout. Pure types here.

/** Every call takes these. */
export interface CallOptions {
  /** Gives the call up; it then rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined
  /** Gives the call up with REQUEST_TIMED_OUT. Default: `ClientOptions.timeoutMs`. */
  readonly timeoutMs?: number | undefined
}
