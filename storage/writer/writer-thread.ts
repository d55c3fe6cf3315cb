// The writer's end of thread.ts, the script of its thread: adapter around LogWriter. Writer thread.

import { parentPort } from 'node:worker_threads'
import { systemClock } from '../clock.ts'
import { realFs } from '../fs.ts'
import { InboxReceiver } from './inbox.ts'
import { packResult } from './result-message.ts'
import type { WriterAssignment } from './thread.ts'
import { LogWriter } from './writer.ts'

const network = parentPort!
network.once('message', ({ inbox, ...assignment }: WriterAssignment) => {
  const writer = new LogWriter({ fs: realFs, clock: systemClock, ...assignment })
  new InboxReceiver(inbox).feed(writer, (result) => network.postMessage(packResult(result)))
})
