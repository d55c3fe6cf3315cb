// tap in one file and without its domains, where the tests in dist/ find it before the package: a test process loads it with
// half of the CPU time, and a promise in a test costs what it costs elsewhere. See docs/decisions/0026-tests-in-two-budgets.md

import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { rolldown } from 'rolldown'

const PACKAGE = 'dist/node_modules/tap'
/** Below a directory of this name, because tap leaves its own frames out of stacks by it. */
const FILE = 'node_modules/@tapjs/tap/index.mjs'

/**
 * A domain attributes an uncaught error to the test that runs, with a hook of Node on each promise. Without it, the error
 * ends the process, and the runner prints it.
 */
const noDomains = {
  name: 'no-domains',
  load: (id: string) =>
    id.includes('async-hook-domain')
      ? 'export class Domain { constructor(onerror) { this.onerror = onerror } destroy() {} }'
      : null,
}

/** The last line of a test process: what it took in all its threads, without its child processes. */
const TELLS_CPU = `
import { writeSync } from 'node:fs'
process.on('exit', () => {
  const { user, system } = process.cpuUsage()
  writeSync(2, '# CPU-seconds: ' + (user + system) / 1e6 + '\\n')
})`
/** Finds that line. */
export const CPU_LINE = /^# CPU-seconds: ([\d.]+)$/m

/** Writes the file, and a package.json that names it. */
export async function bundleTap(): Promise<void> {
  rmSync(PACKAGE, { recursive: true, force: true }) // or it would be found instead of the package
  const bundle = await rolldown({
    input: fileURLToPath(import.meta.resolve('tap')),
    platform: 'node',
    logLevel: 'silent',
    plugins: [noDomains],
  })
  await bundle.write({ file: join(PACKAGE, FILE), codeSplitting: false, footer: TELLS_CPU })
  await bundle.close()
  writeFileSync(join(PACKAGE, 'package.json'), JSON.stringify({ type: 'module', main: FILE }))
}
