// The store and its directory, and the configuration in it. Network thread.

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Closing } from '../../storage/closing.ts'
import { openStore as openStoreOnDisk } from '../../storage/open-store.ts'
import type { CleanerConfig, Store, Topic, TopicListener } from '../../storage/store.ts'
import { ALL_BROKERS, BrokerConfigs } from '../broker-configs.ts'
import { viewOf, type ConfigTable } from '../config-view.ts'
import { openFilesMax, shareOfOpenFiles } from '../open-files.ts'
import type { ProcessLog } from '../process-log.ts'
import type { BrokerEnvironment } from './environment.ts'

/** Segment and index files kept open for reading. */
const READER_FILES_MAX = 512
/** Segment files kept open for writing. */
const WRITER_FILES_MAX = 500

const cleanerConfigs = {
  retentionCheckIntervalMs: 'log.retention.check.interval.ms',
  clockGraceMs: 'log.retention.clock.grace.ms',
  isCompactionEnabled: 'log.cleaner.enable',
  backoffMs: 'log.cleaner.backoff.ms',
  dedupeBufferBytes: 'log.cleaner.dedupe.buffer.size',
  ioBytesPerSecond: 'log.cleaner.io.max.bytes.per.second',
  scrubIntervalMs: 'log.scrub.interval.ms',
  scrubBytesPerSecond: 'log.scrub.io.max.bytes.per.second',
} as const satisfies ConfigTable & Record<keyof CleanerConfig, unknown>

/** @returns the store and its directory */
export async function openStore(
  environment: BrokerEnvironment,
  closing: Closing,
): Promise<{ readonly store: Store; readonly dataDir: string }> {
  const { settings, ephemeral, writer = 'thread', fs, clock, log } = environment
  const { broker: config, topicDefaults } = settings
  const dataDir = ephemeral ? mkdtempSync(join(tmpdir(), 'millrace-')) : config['log.dir']
  if (ephemeral) closing.add(() => rmSync(dataDir, { recursive: true, force: true }))
  const { openStore: open = openStoreOnDisk } = environment
  const files = shareOfOpenFiles(openFilesMax())
  const store = await open({
    dataDir,
    writer,
    clock,
    topicDefaults,
    nodeId: settings.given.has('node.id') ? config['node.id'] : undefined,
    inboxBytesMax: config['inbox.max.bytes'],
    openFilesMax: Math.min(READER_FILES_MAX, files.readers),
    writtenFilesMax: Math.min(WRITER_FILES_MAX, files.writer),
    cleaner: viewOf(cleanerConfigs, config),
    producerIdExpirationMs: config['producer.id.expiration.ms'],
    ...(fs && { fs }),
    onWarning: (message) => log.warn(message),
  })
  store.topics.subscribe(topicLog(log))
  closing.add(async () => store[Symbol.asyncDispose]())
  return { store, dataDir }
}

/** Logs changes of topics. */
function topicLog(log: ProcessLog): TopicListener {
  const tell =
    (change: string) =>
    ({ name, partitionCount, config }: Topic) =>
      log.debug(`topic ${change}`, { topic: name, partitionCount, config })
  return {
    created: tell('created'),
    deleted: tell('deleted'),
    partitionsAdded: tell('extended'),
    configured: tell('configured'),
  }
}

/** When it resolves the dynamic values of earlier runs are in effect; cleaner and log follow every change. */
export async function openConfigs(
  { settings, log }: BrokerEnvironment,
  store: Store,
): Promise<BrokerConfigs> {
  const warn = (message: string) => log.warn(message)
  const configs = await BrokerConfigs.open({ settings, store, warn })
  let level = settings.broker['log.level']
  const follow = () => {
    store.cleaner.configure(viewOf(cleanerConfigs, configs.current))
    if (level !== configs.current['log.level']) log.setLevel(configs.current['log.level'])
    level = configs.current['log.level']
  }
  configs.onChange(() => {
    follow()
    const set = { ...configs.overrides(ALL_BROKERS), ...configs.overrides(`${store.nodeId}`) }
    log.debug('broker configuration changed', { set: Object.keys(set) }) // no values: one may be a password
  })
  follow()
  return configs
}
