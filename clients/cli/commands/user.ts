// user ls|add|passwd|rm. For users: docs/guide/security.md, "Users"

import { Option, type Command } from 'commander'
import { KafkaError } from '../../../protocol/errors.ts'
import { DEFAULT_ITERATIONS } from '../../../protocol/sasl/scram-mechanisms.ts'
import {
  ITERATIONS_MIN,
  STORED_ITERATIONS_MAX,
  type ScramMechanism,
} from '../../../protocol/sasl/scram.ts'
import type { UserDescription, UserMechanism } from '../../admin/users.ts'
import { confirmed, type ConfirmOptions } from '../confirm.ts'
import { CliError } from '../exit.ts'
import { examples, shapes, wholeNumber, type CommonOptions } from '../flags.ts'
import { newPassword, newPasswordFlags, type NewPasswordSource } from '../new-password.ts'
import { Notes, Stdout, type Shape } from '../print.ts'
import { openSession, type Session } from '../session.ts'
import { show } from '../show.ts'

const mechanisms: readonly UserMechanism[] = ['scram-sha-256', 'scram-sha-512']

export function define(user: Command): void {
  const verb = (name: string, summary: string): Command =>
    shapes(user.command(name).description(summary))
  const mechanism = (text: string): Option =>
    new Option('--mechanism <mechanism>', text).choices(mechanisms)

  verb('ls', 'list users, their mechanisms and iterations').alias('list').action(list)
  setting(verb('add', 'add a user with a password').alias('create'))
    .addOption(mechanism('only this one (default: both)'))
    .addHelpText(
      'after',
      examples(
        'millrace user add ann                        asks for the password',
        'millrace user add app --generate             makes one up and prints it',
        'millrace user add ann --data ./data          the first user, while the broker is stopped',
      ),
    )
    .action((name: string, _: unknown, command: Command) => set(name, true, command))
  setting(verb('passwd', "change a user's password"))
    .addOption(mechanism('only this one (default: those that the user has)'))
    .addHelpText('after', examples('millrace user passwd ann'))
    .action((name: string, _: unknown, command: Command) => set(name, false, command))
  verb('rm', 'remove users; connections that have logged in stay')
    .alias('delete')
    .argument('<name...>')
    .addOption(mechanism('only this one (default: all)'))
    .option('--dry-run', 'only show what would be removed')
    .option('-y, --yes', 'do not ask')
    .addHelpText('after', examples('millrace user rm ann --yes'))
    .action(remove)
}

/** Adds what the verbs have in common that set a password. */
function setting(command: Command): Command {
  return newPasswordFlags(command.argument('<name>'))
    .option(
      '--iterations <count>',
      `of PBKDF2, ${ITERATIONS_MIN} to ${STORED_ITERATIONS_MAX} (default: ${DEFAULT_ITERATIONS})`,
      wholeNumber(ITERATIONS_MIN, STORED_ITERATIONS_MAX),
    )
    .option('--data <dir>', 'in the data directory of a stopped broker, without logging in')
}

type UserOptions = CommonOptions & Shape & { readonly mechanism?: UserMechanism }
type SetOptions = UserOptions &
  NewPasswordSource & { readonly iterations?: number; readonly data?: string }

async function list(_: unknown, command: Command): Promise<void> {
  const options = command.optsWithGlobals<UserOptions>()
  await using session = await openSession(options)
  const users = await session.client.admin().users.list()
  if (users.length === 0) return session.notes.say('no users: millrace user add NAME')
  await showUsers(users, session, options)
}

async function showUsers(
  users: readonly UserDescription[],
  { stdout, paint }: Session,
  options: UserOptions,
): Promise<void> {
  const rows = users.flatMap(({ user, credentials }) =>
    credentials.map(({ mechanism, iterations }) => ({ user, mechanism, iterations })),
  )
  await stdout.rows(options, ['USER', 'MECHANISM', 'ITERATIONS'], rows, paint)
}

async function set(name: string, isNew: boolean, command: Command): Promise<void> {
  const options = command.optsWithGlobals<SetOptions>()
  if (options.data !== undefined) return await setInData(name, options.data, isNew, options)
  await using session = await openSession(options)
  const { users } = session.client.admin()
  const before = await knownUser(session, name)
  if (before !== undefined && isNew) throw exists(name)
  if (before === undefined && !isNew) throw unknown(name)
  const own = before?.credentials.map(({ mechanism }) => mechanism)
  const wanted = options.mechanism === undefined ? (own ?? mechanisms) : [options.mechanism]
  const password = await newPassword(name, options, options.io)
  const { iterations } = options
  for (const mechanism of wanted)
    await users.upsert([{ user: name, password, mechanism, iterations }])
  await tell(name, password, wanted, options, session)
}

async function knownUser({ client }: Session, name: string): Promise<UserDescription | undefined> {
  try {
    return (await client.admin().users.describe([name]))[0]
  } catch (error) {
    if (error instanceof KafkaError && error.code === 'RESOURCE_NOT_FOUND') return undefined
    throw error
  }
}

async function setInData(
  user: string,
  dataDir: string,
  isNew: boolean,
  options: SetOptions,
): Promise<void> {
  const { setPasswordIn } = await import('../../../broker/secure/stopped-users.ts')
  const password = await newPassword(user, options, options.io)
  const { iterations = DEFAULT_ITERATIONS } = options
  const mechanism = options.mechanism?.toUpperCase() as ScramMechanism | undefined
  let names: readonly ScramMechanism[]
  try {
    names = await setPasswordIn(dataDir, { user, password, mechanism, iterations }, isNew)
  } catch (error) {
    const { code } = error as Partial<KafkaError> // in the bundle the broker's class is another one
    if (code === 'DUPLICATE_RESOURCE') throw exists(user)
    throw code === 'RESOURCE_NOT_FOUND' ? unknown(user) : error
  }
  const stdout = new Stdout(options.io)
  const wanted = names.map((name) => name.toLowerCase() as UserMechanism)
  await tell(user, password, wanted, options, { stdout, notes: new Notes(options) })
  await stdout.flush()
}

/** A generated password is shown once. */
async function tell(
  user: string,
  password: string,
  wanted: readonly UserMechanism[],
  options: SetOptions,
  { stdout, notes }: Pick<Session, 'stdout' | 'notes'>,
): Promise<void> {
  notes.say(`${user} can log in by ${wanted.join(' and ')}`)
  const isGenerated = options.generate === true
  if (isGenerated) notes.say('the password, which nobody can show again:')
  const shown = isGenerated ? { password } : {}
  await stdout.object(options, { user, mechanisms: wanted, ...shown }, () =>
    isGenerated ? show`${password}\n` : show``,
  )
}

async function remove(names: readonly string[], _: unknown, command: Command): Promise<void> {
  const options = command.optsWithGlobals<UserOptions & ConfirmOptions>()
  const { mechanism } = options
  await using session = await openSession(options)
  const { users } = session.client.admin()
  await showUsers(await users.describe(names), session, options)
  if (!(await confirmed(session, options, `remove ${names.join(', ')}?`))) return
  await users.delete(names.map((user) => ({ user, mechanism })))
  session.notes.say(`removed ${names.join(', ')}`)
}

function exists(name: string): CliError {
  return new CliError('failed', `${name} exists: to change its password, millrace user passwd`)
}

function unknown(name: string): CliError {
  return new CliError('notFound', `there is no user ${name}; millrace user ls lists them`)
}
