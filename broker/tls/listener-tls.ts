// ListenerTls: TLS of one listener: the certificates that it goes by now, taken again when their files change, and what its
// handshakes came to. A change that cannot be used leaves the ones before it in place. Network thread.

import { constants } from 'node:crypto'
import { createSecureContext, type SecureContextOptions } from 'node:tls'
import { KafkaError } from '../../protocol/errors.ts'
import type { Clock, Timer } from '../../storage/clock.ts'
import type { ProcessLog } from '../process-log.ts'
import { cipherList } from './cipher-suites.ts'
import { certificateAge, type CertificateAge } from './certificate-age.ts'
import type { HandshakeFailure } from './handshake-trouble.ts'
import { keyStoreOf, type KeyStore } from './key-store.ts'
import { PrincipalRules } from './principal-rules.ts'
import { opensslReason, refused } from './refused.ts'
import { areSame, readStores, type StoreFiles } from './store-files.ts'
import type { TlsConfig } from './tls-configs.ts'
import { trustStoreOf } from './trust-store.ts'

const CHECK_MS = 10_000
/** A client may resume a session for this time. */
const SESSION_SECONDS = 300

export interface ListenerTlsDeps {
  readonly clock: Clock
  readonly log: Pick<ProcessLog, 'info' | 'warn'>
}

/** What files and properties come to. */
interface Material {
  readonly keyStore: KeyStore
  readonly options: SecureContextOptions
  readonly withoutRoot: readonly string[]
}

export class ListenerTls {
  readonly config: TlsConfig
  readonly rules: PrincipalRules
  handshakeCount = 0
  /** Handshakes that came to nothing, by reason. */
  readonly failures = new Map<HandshakeFailure, number>()
  reloadCount = 0
  reloadFailureCount = 0
  readonly #deps: ListenerTlsDeps
  #files: StoreFiles
  #material: Material
  /** Why the files as they are now cannot be used. */
  #failure: string | undefined
  #age: CertificateAge = 'valid'
  #onChange: () => void = () => {}
  #timer: Timer | undefined

  private constructor(
    config: TlsConfig,
    rules: PrincipalRules,
    files: StoreFiles,
    deps: ListenerTlsDeps,
  ) {
    this.config = config
    this.rules = rules
    this.#deps = deps
    this.#files = files
    this.#material = materialOf(config, files)
  }

  /** Watches its files until `close`. @throws {KafkaError} INVALID_CONFIG: the property, the file, and what was expected */
  static async open(config: TlsConfig, deps: ListenerTlsDeps): Promise<ListenerTls> {
    const rules = await rulesOf(config)
    const tls = new ListenerTls(config, rules, await readStores(config), deps)
    tls.#noteRoots()
    tls.#noteAge()
    tls.#checkLater()
    return tls
  }

  /** For the handshakes to come. */
  get contextOptions(): SecureContextOptions {
    return this.#material.options
  }

  /** At most one listener; hears that `contextOptions` are others. */
  onChange(callback: () => void): void {
    this.#onChange = callback
  }

  /** A handshake came to nothing. */
  failed(failure: HandshakeFailure): void {
    this.failures.set(failure, (this.failures.get(failure) ?? 0) + 1)
  }

  /** Until the certificate expires; negative when it has. */
  get secondsLeft(): number {
    const { validTo } = this.#material.keyStore.certificate
    return (Date.parse(validTo) - this.#deps.clock.now()) / 1000
  }

  /** What an operator should know of. */
  get warnings(): string[] {
    const { listener } = this.config
    const warnings: string[] = []
    if (this.#failure !== undefined)
      warnings.push(`listener ${listener} goes on with its old certificates: ${this.#failure}`)
    const age = certificateAge(this.#material.keyStore.certificate, this.#deps.clock.now())
    if (age !== 'valid') warnings.push(`the certificate of listener ${listener} ${age}`)
    return warnings
  }

  close(): void {
    this.#timer?.cancel()
    this.#timer = undefined
  }

  #checkLater(): void {
    this.#timer = this.#deps.clock.after(CHECK_MS, () => {
      void this.#check().finally(() => {
        if (this.#timer !== undefined) this.#checkLater()
      })
    })
  }

  /** Takes the files as they are now, if they are others. Never rejects. */
  async #check(): Promise<void> {
    const { listener } = this.config
    try {
      const files = await readStores(this.config)
      if (areSame(files, this.#files)) return this.#recovered()
      const material = materialOf(this.config, files)
      this.#files = files
      this.#material = material
      this.reloadCount++
      this.#failure = undefined
      this.#onChange()
      this.#deps.log.info('new certificates', { listener, ...this.#facts })
      this.#noteRoots()
    } catch (error) {
      this.#failed(error)
    } finally {
      this.#noteAge()
    }
  }

  /** The files are those in use: perhaps again. */
  #recovered(): void {
    if (this.#failure === undefined) return
    this.#failure = undefined
    this.#deps.log.info('certificates as before', { listener: this.config.listener })
  }

  /** Says the same once. */
  #failed(error: unknown): void {
    const reason = error instanceof KafkaError ? error.reason : opensslReason(error)
    const { listener } = this.config
    if (reason === this.#failure) return
    this.#failure = reason
    this.reloadFailureCount++
    this.#deps.log.warn('certificates cannot be taken, the old ones stay', { listener, reason })
  }

  #noteAge(): void {
    const { certificate } = this.#material.keyStore
    const age = certificateAge(certificate, this.#deps.clock.now())
    if (age === this.#age) return
    this.#age = age
    const facts = { listener: this.config.listener, ...this.#facts }
    if (age === 'valid') this.#deps.log.info('the certificate is valid', facts)
    else this.#deps.log.warn(`the certificate ${age}`, facts)
  }

  #noteRoots(): void {
    for (const subject of this.#material.withoutRoot) {
      const facts = { listener: this.config.listener, subject: subject.replaceAll('\n', ',') }
      this.#deps.log.warn(
        'a CA of the trust store is no root: clients need its root there, too',
        facts,
      )
    }
  }

  get #facts(): object {
    const { subject, validTo } = this.#material.keyStore.certificate
    return { subject: subject?.replaceAll('\n', ','), validTo }
  }
}

async function rulesOf(config: TlsConfig): Promise<PrincipalRules> {
  const name = 'ssl.principal.mapping.rules'
  try {
    return await PrincipalRules.parse(config.values[name])
  } catch (error) {
    if (!(error instanceof KafkaError)) throw error
    throw refused(config, name, error.reason ?? '', error)
  }
}

/** @throws {KafkaError} INVALID_CONFIG */
function materialOf(config: TlsConfig, files: StoreFiles): Material {
  const { values } = config
  const keyStore = keyStoreOf(config, files.keyStore)
  const isTrusting = values['ssl.client.auth'] !== 'none'
  const trust = isTrusting ? trustStoreOf(config, files.trustStore) : undefined
  const versions = values['ssl.enabled.protocols']
  const ciphers = cipherList(config)
  const options: SecureContextOptions = {
    key: keyStore.key,
    cert: keyStore.chain,
    ca: [...(trust?.authorities ?? [])], // without any Node would read all the roots of the Web
    ...(ciphers !== undefined && { ciphers }),
    minVersion: versions[0]!,
    maxVersion: versions.at(-1)!,
    secureOptions: constants.SSL_OP_NO_RENEGOTIATION,
    sessionTimeout: SESSION_SECONDS,
  }
  try {
    createSecureContext(options)
  } catch (error) {
    throw refused(config, 'ssl.keystore.location', opensslReason(error), error)
  }
  return { keyStore, options, withoutRoot: trust?.withoutRoot ?? [] }
}
