// The host names and addresses of this machine, by which clients may dial it.

import { hostname, networkInterfaces } from 'node:os'

const HOST_NAME = /^[a-z\d]([a-z\d.-]{0,251}[a-z\d])?$/

/** @param others that clients dial as well: what is advertised, for example */
export function machineNames(others: readonly string[] = []): string[] {
  const addresses = Object.values(networkInterfaces())
    .flatMap((each) => each ?? [])
    .filter(({ scopeid = 0 }) => scopeid === 0) // a link-local address of IPv6 has no meaning elsewhere
    .map(({ address }) => address)
  const names = [hostname(), ...others].map((name) => name.toLowerCase())
  const known = names.filter((name) => HOST_NAME.test(name) || name.includes(':'))
  return [...new Set(['localhost', '127.0.0.1', '::1', ...known, ...addresses.sort()])]
}
