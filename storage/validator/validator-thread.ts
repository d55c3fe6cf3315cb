// The validator's end of thread.ts, the script of its thread. Validator thread.

import { parentPort } from 'node:worker_threads'
import { answerTo, type ValidatorTask } from './port.ts'

const network = parentPort!
network.on('message', (task: ValidatorTask) => {
  const answer = answerTo(task)
  network.postMessage(answer, [answer.batch.buffer])
})
