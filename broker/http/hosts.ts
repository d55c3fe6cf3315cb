// Hosts: the names under which a loopback address answers. Another site's page can make its own name resolve to
// 127.0.0.1 and read the answer as its own (DNS rebinding); but it cannot change the Host header. Network thread.

/** Always accepted: such a name always means this machine. */
const LOOPBACK = /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])$/

/**
 * @param names further names of this address
 * @returns a function that tells whether to answer a request with this Host header; one without it is from no browser
 */
export function hostCheck(names: readonly string[]): (header: string | undefined) => boolean {
  const known = new Set(names.map(canonical))
  return (header) => {
    if (header === undefined) return true
    const name = canonical(header)
    return name !== undefined && (LOOPBACK.test(name) || known.has(name))
  }
}

/** @param host with or without a port. @returns lower case, without the port; undefined for no host */
function canonical(host: string): string | undefined {
  try {
    const isIpv6 = host.includes('::') && !host.startsWith('[')
    return new URL(`http://${isIpv6 ? `[${host}]` : host}`).hostname
  } catch {
    return undefined
  }
}
