// PLAIN (RFC 4616): the one message of the mechanism. Pure.

/** @param username and @param password without NUL */
export function plainMessage(username: string, password: string): Buffer {
  return Buffer.from(`\0${username}\0${password}`)
}
