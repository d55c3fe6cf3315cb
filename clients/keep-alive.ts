// KeepAlive: a process does not end while one of its loops waits for a record, though its sockets may be idle and its
// timers unreferenced: Node would end it with status 13. Main thread.

/** The longest that a timer of Node can be. */
const PERIOD_MS = 0x7fffffff

let waitingCount = 0
let timer: NodeJS.Timeout | undefined

export function keepAlive(): void {
  if (waitingCount++ > 0) return
  if (timer === undefined) timer = setInterval(() => {}, PERIOD_MS)
  else timer.ref()
}

export function letGo(): void {
  if (--waitingCount === 0) timer!.unref()
}
