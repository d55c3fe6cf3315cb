// Clients that log in message by message, and users with passwords. Tests only.

import { apiVersions } from '../../protocol/api/18_api_versions.ts'
import { saslAuthenticate } from '../../protocol/api/36_sasl_authenticate.ts'
import { saslHandshake } from '../../protocol/api/17_sasl_handshake.ts'
import { alterUserScramCredentials } from '../../protocol/api/51_alter_user_scram_credentials.ts'
import { errorName } from '../../protocol/errors.ts'
import { plainMessage } from '../../protocol/sasl/plain.ts'
import {
  saltedPassword,
  ScramClient,
  scramKeys,
  scramMechanismCodes,
  scramMechanisms,
  type ScramMechanism,
} from '../../protocol/sasl/scram.ts'
import type { LocalClient } from './local-client.ts'
import type { RawClient } from './raw-client.ts'

const ITERATIONS = 4_096

export const SASL = 'SASL_PLAINTEXT'

/** Properties of a broker with a SASL listener beside its plaintext one. */
export const saslProperties = {
  listeners: `PLAINTEXT://127.0.0.1:0,${SASL}://127.0.0.1:0`,
  'sasl.enabled.mechanisms': 'PLAIN,SCRAM-SHA-256,SCRAM-SHA-512',
  'connection.failed.authentication.delay.ms': 0,
} as const

/** Gives the user a password for each of the mechanisms. */
export async function addUser(
  local: LocalClient,
  name: string,
  password: string,
  mechanisms: readonly ScramMechanism[] = scramMechanisms,
): Promise<void> {
  for (const mechanism of mechanisms) {
    const kept = { salt: Buffer.from(`salt of ${name}`), iterations: ITERATIONS }
    const salted = { ...kept, saltedPassword: await saltedPassword(mechanism, password, kept) }
    const upsertions = [{ name, mechanism: scramMechanismCodes[mechanism], ...salted }]
    const { results } = await local.perform(alterUserScramCredentials, {
      deletions: [],
      upsertions,
    })
    if (results[0]!.errorCode !== 0) throw new Error(`user ${name}: ${results[0]!.errorCode}`)
  }
}

/** @returns the name of the error */
export async function shakeHands(client: RawClient, mechanism: string, version = 1) {
  return errorName((await client.send(saslHandshake, { mechanism }, version)).errorCode)
}

/** One message of a mechanism, and the broker's. */
export async function say(client: RawClient, message: string | Buffer, version = 2) {
  const authBytes = Buffer.from(message as Buffer)
  const answer = await client.send(saslAuthenticate, { authBytes }, version)
  const { errorMessage, sessionLifetimeMs } = answer
  const told = Buffer.from(answer.authBytes)
  return { error: errorName(answer.errorCode), errorMessage, told, sessionLifetimeMs }
}

/** A message after SaslHandshake 0, without a header. @returns the broker's; rejects when it closes the connection */
export function sayBare(client: RawClient, message: string | Buffer): Promise<Buffer> {
  writeBare(client, message)
  return client.nextFrame()
}

export function writeBare(client: RawClient, message: string | Buffer): void {
  const bytes = Buffer.from(message as Buffer)
  const size = Buffer.alloc(4)
  size.writeInt32BE(bytes.length)
  client.socket.write(Buffer.concat([size, bytes]))
}

export async function sayVersions(client: RawClient, version = 3) {
  const software = { clientSoftwareName: 'raw', clientSoftwareVersion: '1' }
  return errorName((await client.send(apiVersions, software, version)).errorCode)
}

/** @returns the last answer */
export async function logInByPlain(client: RawClient, user: string, password: string) {
  await shakeHands(client, 'PLAIN')
  return say(client, plainMessage(user, password))
}

/** @returns the last answer */
export async function logInByScram(
  client: RawClient,
  mechanism: ScramMechanism,
  user: string,
  password: string,
) {
  await shakeHands(client, mechanism)
  const scram = new ScramClient(mechanism, user, 'nonce-of-the-client')
  const first = await say(client, scram.first())
  if (first.error !== undefined) return first
  const final = await scram.final(first.told, (asked) => scramKeys(mechanism, password, asked))
  const last = await say(client, final)
  if (last.error === undefined) scram.check(last.told)
  return last
}
