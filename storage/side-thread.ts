// A thread beside the network's: starts a script in one. Network thread.

import { Worker } from 'node:worker_threads'

/** @param script beside the module that asks for it, in the sources and in the bundle */
export function startSideThread(script: URL, name: string): Worker {
  return new Worker(script, { name, ...execArgv() })
}

/**
 * A worker inherits the process's flags, and refuses to start with `--input-type` (of `node -e`) among them; but it
 * refuses V8's flags (`--max-old-space-size`) as well when they are handed to it rather than inherited.
 */
function execArgv(): { execArgv?: string[] } {
  const isForStrings = process.execArgv.some((flag) => flag.startsWith('--input-type'))
  return isForStrings ? { execArgv: [] } : {}
}
