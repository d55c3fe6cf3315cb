// The search's end of thread.ts, the script of its thread: adapter around `search`. Search thread.

import { types } from 'node:util'
import { parentPort } from 'node:worker_threads'
import { KafkaError } from '../../protocol/errors.ts'
import { errnoCode, realFs } from '../fs.ts'
import { search, type SearchTask } from './port.ts'
import type { SearchAnswer } from './thread.ts'

const network = parentPort!
network.on('message', (task: SearchTask) => network.postMessage(answerTo(task)))

function answerTo(task: SearchTask): SearchAnswer {
  try {
    return { found: search(realFs, task) }
  } catch (error) {
    const message = types.isNativeError(error) ? error.message : String(error)
    const code = error instanceof KafkaError ? error.code : undefined
    return { failure: { code, errno: errnoCode(error), message } }
  }
}
