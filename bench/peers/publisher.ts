// One record at a time over one connection, each answered when the server has accepted it: the same load for all
// servers and protocols.

export interface Publisher extends Disposable {
  /** Resolves when the server has accepted the record; answers come in the order of the calls. */
  publish(): Promise<void>
}

/** The target of records: a topic, a stream. */
export interface Channel extends AsyncDisposable {
  /** A connection of its own. */
  connect(): Promise<Publisher>
}
