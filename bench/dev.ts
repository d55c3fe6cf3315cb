// `npm run dev`: compiles and restarts a broker whenever a source changes.
// It does not use `tsc --watch`: TypeScript 7.0's sees no changes on some file systems.

import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { watch } from 'node:fs'

const WATCHED = ['broker', 'storage', 'protocol', 'clients']
/** A pause, because an editor writes several files, or one in several steps. */
const QUIET_MS = 100

const brokerArgs = ['dist/clients/cli/main.js', 'start', '--data', 'data', ...process.argv.slice(2)]

let broker = start()
let timer: NodeJS.Timeout | undefined
let restarted = Promise.resolve()

for (const folder of WATCHED) {
  watch(folder, { recursive: true }, (_event, file) => {
    if (file?.endsWith('.ts') !== true || file.endsWith('.test.ts')) return
    clearTimeout(timer)
    timer = setTimeout(() => {
      restarted = restarted.then(restart)
    }, QUIET_MS)
  })
}

async function restart(): Promise<void> {
  const tsc = ['node_modules/typescript/bin/tsc']
  if (spawnSync(process.execPath, tsc, { stdio: 'inherit' }).status !== 0) return
  await stop(broker)
  broker = start()
}

function start(): ChildProcess {
  return spawn(process.execPath, brokerArgs, { stdio: 'inherit' })
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  child.kill()
  await once(child, 'exit')
}
