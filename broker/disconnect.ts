// Disconnect: the error of a client whose only answer is a closed connection. Network thread.

/** Its message goes to the log. */
export class Disconnect extends Error {
  override readonly name = 'Disconnect'
}
