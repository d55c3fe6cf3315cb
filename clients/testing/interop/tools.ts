// Other vendors' programs: finds and runs them, and names missing ones.

import { spawn, spawnSync, type ChildProcessWithoutNullStreams } from 'node:child_process'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** Debian's package of each thing that the tests need. */
const packages = {
  kcat: 'kcat',
  promtool: 'prometheus',
  confluent_kafka: 'python3-confluent-kafka',
  kafka: 'python3-kafka',
  snappy: 'python3-snappy',
  lz4: 'python3-lz4',
  zstandard: 'python3-zstandard',
} as const

const modules = ['confluent_kafka', 'kafka', 'snappy', 'lz4', 'zstandard'] as const

/** Debian's interpreter finds Debian's modules; another one in the PATH may not. */
const pythons = ['/usr/bin/python3', 'python3']

const RUN_TIMEOUT_MS = 60_000
const PIP_TIMEOUT_MS = 100_000

let python: string | undefined

/** @throws {Error} that names missing packages */
export function requireTools(): void {
  python = pythons.find((each) => works(each, ['-c', `import ${modules.join(', ')}`]))
  const lacking = [
    ...(['kcat', 'promtool'] as const).filter((each) => !works(each, ['--help'])),
    ...(python === undefined ? modules.filter((each) => !importable(each)) : []),
  ]
  if (lacking.length === 0) return
  throw missing(lacking.join(', '), lacking.map((each) => packages[each]).join(' '))
}

/** @throws {Error} that says what is missing to run Apache Kafka */
export function requireKafka(): void {
  if (!works('java', ['-version'])) throw missing('Java', 'default-jdk-headless')
  if (process.env['KAFKA_HOME'] === undefined && !works('mvn', ['--version']))
    throw missing('Maven, or Apache Kafka in KAFKA_HOME', 'maven')
}

/** @throws {Error} that says what is missing to run a Java program from its source */
export function requireJavaCompiler(): void {
  if (!works('javac', ['-version'])) throw missing('javac', 'default-jdk-headless')
}

function missing(what: string, wanted: string): Error {
  return new Error(`missing: ${what}. Run: apt-get install --yes ${wanted}`)
}

function importable(module: string): boolean {
  return pythons.some((each) => works(each, ['-c', `import ${module}`]))
}

/** Does the program run and exit by itself? Any status counts, because kcat has none for help. */
function works(command: string, args: string[]): boolean {
  const { error, status } = spawnSync(command, args, { timeout: RUN_TIMEOUT_MS })
  return error === undefined && (status === 0 || args[0] === '--help')
}

/** Maven fetches the jars the first time, and keeps them. */
export const KAFKA_FETCH_TIMEOUT_MS = 100_000

/** The classpath of Apache Kafka's clients and tools. @param version default: the newest */
export async function kafkaClasspath(version?: string): Promise<string> {
  process.env['KAFKA_PEER_DIR'] ??= join(tmpdir(), 'millrace-kafka-interop')
  const script = fileURLToPath(new URL('../../../../bench/peers/kafka.sh', import.meta.url))
  const chosen = version === undefined ? [] : [`KAFKA_VERSION=${version}`]
  const args = [...chosen, 'bash', script, 'classpath']
  const { stdout } = await run('env', args, Buffer.of(), KAFKA_FETCH_TIMEOUT_MS)
  return stdout.toString().trim()
}

/** Debian's confluent-kafka has no calls for ACLs, and its kafka-python cannot log in. */
const NEW_CLIENTS = ['confluent-kafka==2.16.1', 'kafka-python==2.2.15']

/** An interpreter with newer clients, which pip fetches the first time. */
export async function pythonWithNewClients(): Promise<string> {
  const at = join(tmpdir(), `millrace-${NEW_CLIENTS.join('-').replaceAll('=', '')}`)
  const interpreter = join(at, 'bin', 'python')
  if (works(interpreter, ['-c', 'import confluent_kafka, kafka'])) return interpreter
  await run('python3', ['-m', 'venv', at])
  const args = ['-m', 'pip', 'install', '--quiet', ...NEW_CLIENTS]
  await run(interpreter, args, Buffer.of(), PIP_TIMEOUT_MS)
  return interpreter
}

export interface Finished {
  readonly stdout: Buffer
  readonly stderr: string
}

/** @throws {Error} with the program's output, when it fails or does not end in time */
export async function run(
  command: string,
  args: string[],
  input = Buffer.of(),
  timeout = RUN_TIMEOUT_MS,
): Promise<Finished> {
  const child = spawn(command, args, { timeout })
  child.stdin.on('error', () => {}) // the program may end before it has read everything
  child.stdin.end(input)
  return finished(child, [command, ...args].join(' '))
}

export async function finished(
  child: ChildProcessWithoutNullStreams,
  what: string,
): Promise<Finished> {
  const out: Buffer[] = []
  const err: Buffer[] = []
  child.stdout.on('data', (chunk: Buffer) => out.push(chunk))
  child.stderr.on('data', (chunk: Buffer) => err.push(chunk))
  const [status, signal] = await new Promise<[number | null, string | null]>((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (...ending) => resolve(ending))
  })
  const stdout = Buffer.concat(out)
  const stderr = Buffer.concat(err).toString()
  if (status === 0) return { stdout, stderr }
  const said = stderr.trim() === '' ? stdout.toString() : stderr
  throw new Error(`${what} ended with ${signal ?? status}: ${said.slice(-2000)}`)
}

/** The command for one of the Python scripts beside the source of this file. */
export function pythonCommand(script: string, args: string[]): [command: string, args: string[]] {
  if (python === undefined) requireTools()
  const path = new URL(`../../../../clients/testing/interop/${script}`, import.meta.url)
  return [python!, [fileURLToPath(path), ...args]]
}
