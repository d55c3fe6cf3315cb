// SCRAM (RFC 5802, RFC 7677): the client proves that it knows the password, and the broker that it knows the user. An unknown user
// gets a challenge like any other, and the same refusal. Network thread.

import { strict as assert } from 'node:assert'
import { randomBytes } from 'node:crypto'
import { KafkaError } from '../../protocol/errors.ts'
import { ScramServer } from '../../protocol/sasl/scram-server.ts'
import type { Credentials, ScramMechanism } from '../auth/credentials.ts'
import type { Decoys } from './decoys.ts'
import { Refusal, refuseOtherIdentity, type Conversation, type Mechanism } from './mechanism.ts'

const NONCE_BYTES = 24

interface ScramDeps {
  readonly credentials: Credentials
  readonly decoys: Decoys
}

export class Scram implements Mechanism {
  readonly name: ScramMechanism
  readonly #deps: ScramDeps

  constructor(name: ScramMechanism, deps: ScramDeps) {
    this.name = name
    this.#deps = deps
  }

  async *converse(message: Buffer): Conversation {
    const server = new ScramServer(this.name, message)
    const { username, authorizationId, extensions } = server
    if (extensions.get('tokenauth') === 'true') throw new Refusal('there are no delegation tokens')
    refuseOtherIdentity(authorizationId, username)
    const { credentials, decoys } = this.#deps
    const found = credentials.find(this.name, username)
    const decoy = decoys.find(this.name, username) // for every user, because it takes time
    const credential = found ?? decoy
    const nonce = randomBytes(NONCE_BYTES).toString('base64url')
    const final = yield { message: server.first(credential, nonce) }
    try {
      const lastMessage = server.final(credential, final)
      assert(found !== undefined, 'nobody knows the password of a decoy')
      return { user: username, lastMessage }
    } catch (error) {
      if (!(error instanceof KafkaError)) throw error
      if (found === undefined) throw new Refusal('there is no such user')
      throw new Refusal(error.reason, { user: username })
    }
  }
}
