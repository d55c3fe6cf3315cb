// The writer's end of thread.ts, the script of its thread: adapter around LogWriter. Decides nothing but when to wait.
// Writer thread.

import { parentPort } from 'node:worker_threads'
import { systemClock } from '../clock.ts'
import { realFs } from '../fs.ts'
import type { TurnResult } from './commands.ts'
import { InboxReceiver } from './inbox.ts'
import { packResult } from './result-message.ts'
import type { WriterAssignment } from './thread.ts'
import { LogWriter } from './writer.ts'

const network = parentPort!
network.once('message', serve)

/** Never returns to the loop, but to end. */
function serve({ inbox, ...assignment }: WriterAssignment): void {
  const writer = new LogWriter({ fs: realFs, clock: systemClock, ...assignment })
  const receiver = new InboxReceiver(inbox)
  const answer = (result: TurnResult) => network.postMessage(packResult(result))
  for (let isClosed = false; !isClosed;) {
    const commands = receiver.drain(writer.tidyDueInMs)
    const result = writer.turn(commands, answer)
    receiver.release()
    if (commands.length > 0 || result.fatal !== undefined) answer(result)
    isClosed = commands.some(({ kind }) => kind === 'close')
  }
}
