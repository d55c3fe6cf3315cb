// Addresses of brokers, and messages that say why one could not be reached. Pure.

import { KafkaError } from '../../protocol/errors.ts'
import { tlsTrouble } from './tls/trouble.ts'

export interface Address {
  readonly host: string
  readonly port: number
}

const PORT_DEFAULT = 9092

/** @param text `host`, `host:port`, `[v6]:port`; lists are joined by commas; @throws {TypeError} */
export function parseAddresses(text: string | readonly string[]): Address[] {
  const parts = (typeof text === 'string' ? [text] : text).flatMap((each) => each.split(','))
  const addresses = parts
    .map((part) => part.trim())
    .filter(Boolean)
    .map(parseAddress)
  if (addresses.length === 0) throw new TypeError('brokers: at least one host:port is needed')
  return addresses
}

function parseAddress(text: string): Address {
  if (text.includes('@')) throw new TypeError('brokers: user and password go into the option sasl')
  const match = /^(?:\[([^\]]+)\]|([^:]+))(?::(\d{1,5}))?$/.exec(text)
  const port = match?.[3] === undefined ? PORT_DEFAULT : Number(match[3])
  if (match === null || port === 0 || port > 65_535)
    throw new TypeError(`brokers: "${text}" is not host:port`)
  return { host: (match[1] ?? match[2])!, port }
}

export function addressText({ host, port }: Address): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
}

/** What the user can try, by the code of the system's error. */
const ADVICE: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'refused the connection: is a broker running there? (`millrace start` starts one)',
  ENOTFOUND: 'is a name that does not resolve: check its spelling',
  EAI_AGAIN: 'is a name that does not resolve now: check the DNS server',
  EHOSTUNREACH: 'has no route: check the network',
  ENETUNREACH: 'has no route: check the network',
  ETIMEDOUT: 'did not answer: check host, port and firewall',
  ECONNRESET: 'closed the connection',
  EPIPE: 'closed the connection',
}

/** @param error undefined: the broker closed the socket */
export function explain(address: Address, error: unknown): KafkaError {
  const where = addressText(address)
  const trouble = tlsTrouble(where, error)
  if (trouble !== undefined) return trouble
  if (error === undefined)
    return new KafkaError('NETWORK_EXCEPTION', `${where} ${ADVICE['ECONNRESET']}`)
  const code = systemCode(error)
  const advice = code === undefined ? undefined : ADVICE[code]
  const what =
    advice === undefined ? `${where}: ${(error as Error).message}` : `${where} ${advice} (${code})`
  return new KafkaError('NETWORK_EXCEPTION', what, { cause: error })
}

/** A host name with several addresses fails with one error per address. */
function systemCode(error: unknown): string | undefined {
  const first = (error as AggregateError | undefined)?.errors?.[0] ?? error
  return (first as NodeJS.ErrnoException | undefined)?.code
}
