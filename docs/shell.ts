// Shell: runs the shell blocks of a page as a reader would type them: bash in an empty directory, with `millrace` on the PATH and
// a broker on the directory `live` in it, or the one that `millrace start --secure` starts. For tests.

import { execFile } from 'node:child_process'
import { once } from 'node:events'
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Broker } from '../broker/broker.ts'
import { root } from './sources.ts'

/** `millrace` on the PATH: ends endless commands as ^C does, answers yes to questions, and uses free ports instead of the usual ones. */
const COMMAND = `#!/bin/bash
unset NODE_OPTIONS
words=" $* "
if [ "$SECURE" ] && [ "$words" = ' start --secure ' ]; then # the lines after it use this broker
  "$NODE" "$CLI" "$@" --port 0 --http 0 --secure-port "$SECURE_PORT" > "$SECURE.out" 2>&1 &
  echo $! > "$SECURE.pid"
  until grep -q '^millrace ' "$SECURE.out" || ! kill -0 $! 2>/dev/null; do sleep 0.1; done
  cat "$SECURE.out"
  kill -0 $! 2>/dev/null
  exit
fi
case "$words" in
  *' --yes '* | *' --dry-run '* | *' --help '*) ;;
  ' topic rm '* | ' topic trim '* | ' group rm '* | ' group reset '* | ' txn abort '* | ' acl rm '*) set -- "$@" --yes ;;
  '  ') set -- start --port 0 --http 0 ;;
  ' start --secure '*) set -- "$@" --port 0 --http 0 --secure-port "$SECURE_PORT" ;;
  ' start '*) set -- "$@" --port 0 --http 0 ;;
esac
case "$words" in
  *' --watch '* | '  ' | ' start '*) goes_on=yes ;;
  *' -e '* | *' -n '*) ;;
  ' tail '*) goes_on=yes ;;
esac
[ "$goes_on" ] || exec "$NODE" "$CLI" "$@"
set -m # or what runs in the background would not hear ^C
said=$(mktemp)
"$NODE" "$CLI" "$@" > >(tee -a "$said") 2> >(tee -a "$said" >&2) &
until [ -s "$said" ] || ! kill -0 $! 2>/dev/null; do sleep 0.1; done
grep -q '^millrace: ' "$said" || kill -INT $! # it refuses, and ends by itself, or it is at work
wait $!
status=$?
rm "$said"
[ $status -eq 130 ] || exit $status
`

/** The reader of a page is an administrator of ACLs. */
const config = {
  'authorizer.class.name': 'org.apache.kafka.metadata.authorizer.StandardAuthorizer',
  'super.users': 'User:ANONYMOUS',
}

interface Line {
  readonly line: string
  readonly status: number
}

export class Shell implements AsyncDisposable {
  readonly directory: string
  readonly broker: Broker
  /** For `start --secure`. */
  readonly securePort: number
  /** The broker that `start --secure` starts stays, and is that of the lines after it. */
  readonly #isSecure: boolean

  private constructor(directory: string, broker: Broker, securePort: number, isSecure: boolean) {
    this.directory = directory
    this.broker = broker
    this.securePort = securePort
    this.#isSecure = isSecure
  }

  static async open({ isSecure = false } = {}): Promise<Shell> {
    const directory = mkdtempSync(join(tmpdir(), 'millrace-docs-'))
    mkdirSync(join(directory, 'bin'))
    writeFileSync(join(directory, 'bin/millrace'), COMMAND)
    chmodSync(join(directory, 'bin/millrace'), 0o755)
    mkdirSync(join(directory, 'here'))
    const broker = await Broker.start({ dataDir: join(directory, 'here/live'), config })
    return new Shell(directory, broker, await freePort(), isSecure)
  }

  /** The path of what the secure broker prints, and of its pid, without their endings. */
  get #secure(): string {
    return join(this.directory, 'secure')
  }

  /** @returns the exit code of each line, and the output */
  run(lines: readonly string[]): Promise<{ lines: Line[]; output: string }> {
    const statuses = join(this.directory, 'statuses')
    const script = lines
      .map((line) => line.replaceAll('localhost:9092', this.broker.bootstrap))
      .map((line) => line.replaceAll('localhost:9094', `localhost:${this.securePort}`))
      .map((line, i) => `echo ${quoted(`$ ${line}`)} >&2\n${line}\necho ${i} $? >> ${statuses}`)
    writeFileSync(statuses, '')
    const env = {
      ...process.env,
      XDG_CONFIG_HOME: join(this.directory, 'config'), // not the profiles of the user who runs the tests
      PATH: `${join(this.directory, 'bin')}:${process.env['PATH']}`,
      NODE: process.execPath,
      CLI: fileURLToPath(new URL('dist/bundle/cli/millrace.cjs', root)),
      SECURE_PORT: `${this.securePort}`,
      ...(this.#isSecure ? { SECURE: this.#secure } : { MILLRACE_BROKERS: this.broker.bootstrap }),
    }
    const options = { cwd: join(this.directory, 'here'), env, maxBuffer: 64 * 1024 * 1024 }
    return new Promise((resolve) => {
      execFile('bash', ['-c', `exec 2>&1\n${script.join('\n')}`], options, (_error, output) => {
        const ends = readFileSync(statuses, 'utf8').trim().split('\n')
        const ended = new Map(ends.map((end) => end.split(' ').map(Number) as [number, number]))
        resolve({ output, lines: lines.map((line, i) => ({ line, status: ended.get(i) ?? -1 })) })
      })
    })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.broker.close()
    if (existsSync(`${this.#secure}.pid`))
      process.kill(Number(readFileSync(`${this.#secure}.pid`, 'utf8')), 'SIGKILL')
    rmSync(this.directory, { recursive: true, force: true })
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  return port
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`
}

/** The lines of a block; a backslash at the end of a line joins it with the next. */
export function commandsOf(block: string): string[] {
  return block
    .replaceAll(/\\\n\s*/g, '')
    .split('\n')
    .filter((line) => line.trim() !== '' && !line.startsWith('#'))
}
