// verify: checks the data directory of a stopped broker. For users: docs/guide/cli.md, "Verifying a data directory"

import { existsSync } from 'node:fs'
import type { Command } from 'commander'
import { systemClock } from '../../clock.ts'
import { CliError, exitCodes } from '../exit.ts'
import { examples, type CommonOptions } from '../flags.ts'
import { count, Notes, Stdout } from '../print.ts'
import { Progress } from '../progress.ts'
import { paintFor } from '../show.ts'

export function define(command: Command): void {
  command
    .argument('<dir>', 'the directory of `start --data`')
    .option('--repair', 'repair damage as a start of the broker does')
    .option('--json', 'one JSON object per line')
    .option('-q, --quiet', 'print only errors and warnings to stderr')
    .option('-v, --verbose', 'errors with their stack')
    .addHelpText('after', examples('millrace verify ./data', 'millrace verify ./data --repair'))
    .action(verify)
}

interface VerifyOptions extends CommonOptions {
  readonly repair?: boolean
  readonly json?: boolean
}

async function verify(dir: string, _: unknown, command: Command): Promise<void> {
  const options = command.optsWithGlobals<VerifyOptions>()
  if (!existsSync(dir)) throw new CliError('notFound', `no directory '${dir}'`)
  const { repairDirectory } = await import('../../../storage/verify/verify.ts')
  const notes = new Notes(options)
  const stdout = new Stdout(options.io)
  let verified = await look(dir, notes)
  await tell(stdout, options, verified)
  if (options.repair === true && verified.findings.length > 0) {
    notes.say('repairing')
    await repairDirectory(dir, verified.findings, systemClock)
    verified = await look(dir, notes)
    notes.say('what is there now:')
    await tell(stdout, options, verified)
  }
  const { findings, logCount, segmentCount, batchCount } = verified
  const damageCount = findings.filter(({ severity }) => severity === 'damage').length
  const seen = `${count(logCount)} logs, ${count(segmentCount)} segments, ${count(batchCount)} batches`
  notes.say(`${seen}: ${damageCount === 0 ? 'sound' : `${damageCount} damaged`}`)
  await stdout.flush()
  if (damageCount > 0) options.io.exitCode = exitCodes.failed
}

async function look(dir: string, notes: Notes) {
  const { bytesToRead, verifyDirectory } = await import('../../../storage/verify/verify.ts')
  const progress = new Progress(notes, systemClock, {
    bytesTotal: bytesToRead(dir),
    isOfBytes: true,
  })
  const onRead = (bytes: number): void => {
    progress.add(0, bytes)
    progress.poll()
  }
  try {
    return await verifyDirectory(dir, { clock: systemClock, onRead })
  } finally {
    progress.stop()
  }
}

type Verified = Awaited<ReturnType<typeof look>>

async function tell(stdout: Stdout, options: VerifyOptions, { findings }: Verified): Promise<void> {
  if (findings.length === 0) return
  const rows = findings.map(({ severity, where, what, repair }) => ({
    severity,
    where,
    what,
    repair: repair ?? null,
  }))
  const headings = ['SEVERITY', 'WHERE', 'WHAT', 'REPAIR']
  await stdout.rows(options, headings, rows, paintFor(options.io.stdout, options.io.env))
}
