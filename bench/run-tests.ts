// `npm test`: runs every test file in its own process, one more at a time than there are cores, the longest first.
// With --full it runs only those with a budget, in full. tap's own runner loads hooks into each process, which cost a
// third of the time: decisions/0026

import { spawn } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { basename } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { bundleTap, CPU_LINE } from './bundled-tap.ts'

/** One more than cores, because tests wait for a disk or a timer a third of the time. */
const JOBS = availableParallelism() + 1
/** For a file that hangs; a slow one ends earlier, by tap's timeouts. */
const FILE_SECONDS_MAX = 3_600
/** For a test that sets none, in seconds: enough for a busy machine. */
const TAP_TIMEOUT = '120'
const HAS_BUDGET = /\/budget\.js'/
const SUMMARY = /^# \{ total: (\d+)(?:, pass: (\d+))?(?:, fail: (\d+))?.*\}$/m
/** Lines of a passing assertion or test; a directive in capitals means that it did not run. */
const PASSED = /^ *ok \d+ (?!.*# [A-Z]{4}).*\n/gm
const NOT_RUN = /^ *ok .*# [A-Z]{4}\b.*$/gm

interface Outcome {
  readonly file: string
  readonly seconds: number
  readonly cpuSeconds: number
  readonly output: string
  readonly total: number
  readonly fail: number
}

const isFull = process.argv.includes('--full')
const waiting = filesToRun()
const outcomes: Outcome[] = []
const startedAt = performance.now()

await bundleTap()
await Promise.all(Array.from({ length: JOBS }, work))
summarise()

function filesToRun(): string[] {
  const files = readdirSync('dist', { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.test.js'))
    .map((path) => ({ path: `dist/${path}`, text: readFileSync(`dist/${path}`, 'utf8') }))
    .map(({ path, text }) => ({ path, size: text.length, hasBudget: HAS_BUDGET.test(text) }))
  return files
    .filter(({ hasBudget }) => hasBudget || !isFull)
    .sort((a, b) => Number(b.hasBudget) - Number(a.hasBudget) || b.size - a.size)
    .map(({ path }) => path)
}

async function work(): Promise<void> {
  for (let file = waiting.shift(); file !== undefined; file = waiting.shift()) {
    const outcome = await outcomeOf(file)
    outcomes.push(outcome)
    report(outcome)
  }
}

async function outcomeOf(file: string): Promise<Outcome> {
  const fileStartedAt = performance.now()
  const env = { TAP_TIMEOUT, ...process.env, ...(isFull && { FULL: '1' }) }
  const child = spawn(process.execPath, [file], { env })
  const hung = new AbortController()
  sleep(FILE_SECONDS_MAX * 1_000, undefined, hung).then(
    () => child.kill('SIGKILL'),
    () => {},
  )
  let output = ''
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => (output += text))
  const status = await new Promise((resolve) =>
    child.on('close', (code, signal) => resolve(code ?? signal)),
  )
  hung.abort()
  const [, total = '0', , fail = '0'] = SUMMARY.exec(output) ?? []
  const isOk = status === 0 && SUMMARY.test(output)
  const seconds = (performance.now() - fileStartedAt) / 1_000
  const cpuSeconds = Number(CPU_LINE.exec(output)?.[1] ?? 0)
  const failCount = isOk ? 0 : Math.max(1, Number(fail))
  return { file, seconds, cpuSeconds, output, total: Number(total), fail: failCount }
}

/** One line for a file; for a failed one also its output, without passing lines, and how to see lines of the sources. */
function report({ file, seconds, cpuSeconds, output, total, fail }: Outcome): void {
  const name = file.slice('dist/'.length, -basename('.test.js').length)
  const time = `${seconds.toFixed(1)} s, ${cpuSeconds.toFixed(2)} of CPU`
  console.log(`${fail === 0 ? 'ok' : 'FAILED'} ${name}: ${total} in ${time}`)
  if (fail > 0) {
    console.log(output.replaceAll(PASSED, ''))
    console.log(`# with lines of the sources: node --enable-source-maps ${file}`)
  } else for (const [skipped] of output.matchAll(NOT_RUN)) console.log(skipped)
}

/** Ends with tap's own last line, which has the number of assertions. */
function summarise(): void {
  const failed = outcomes.filter(({ fail }) => fail > 0)
  const sum = (of: (outcome: Outcome) => number) =>
    outcomes.reduce((soFar, outcome) => soFar + of(outcome), 0)
  const [total, fail] = [sum((each) => each.total), sum((each) => each.fail)]
  const seconds = (performance.now() - startedAt) / 1_000
  const cpuSeconds = sum((each) => each.cpuSeconds)
  const cpuText = `${cpuSeconds.toFixed(0)} CPU-seconds without child processes`
  console.log(`# ${outcomes.length} files in ${seconds.toFixed(0)} s, ${cpuText}`)
  for (const { file } of failed) console.log(`# failed: ${file}`)
  const failText = fail > 0 ? `, fail: ${fail}` : ''
  console.log(`# { total: ${total}, pass: ${Math.max(0, total - fail)}${failText} }`)
  process.exitCode = failed.length > 0 || outcomes.length === 0 ? 1 : 0
}
