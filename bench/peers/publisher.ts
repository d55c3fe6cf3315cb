// One record after the other over one connection, each answered when the server has taken it: the same load for all
// servers, whatever they speak.

export interface Publisher extends Disposable {
  /** Resolves when the server has taken it; answers come in the order of the calls. */
  publish(): Promise<void>
}

/** Where records go: a topic, a stream. */
export interface Channel extends AsyncDisposable {
  /** A connection of its own. */
  connect(): Promise<Publisher>
}
