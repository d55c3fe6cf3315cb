// What `millrace start` loads first: the writer's thread loads its code while this one loads the broker. Network thread.

import { loadWriterThread } from '../storage/writer/load-thread.ts'
import type { StartFlags } from './main.ts'

/** Runs until a signal stops the broker. @returns the exit code */
export async function startBroker(flags: StartFlags): Promise<number> {
  const writer = loadWriterThread()
  const { runBroker } = await import('./main.ts')
  return runBroker(flags, undefined, writer)
}
