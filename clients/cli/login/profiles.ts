// Profiles: named settings in a file that only its user may read. It holds no secrets, only where they are.

import { chmodSync, mkdirSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { dirname, join } from 'node:path'
import { CliError } from '../exit.ts'
import type { Io } from '../io.ts'
import type { NamedSettings } from './settings.ts'

/** Property files are read each time the profile is used. */
export type Profile = Omit<NamedSettings, 'password' | 'keyPassword' | 'clientSecret'> & {
  readonly properties?: string
  readonly commandConfig?: string
}

export interface Profiles {
  /** The profile for commands that name none. */
  readonly current?: string | undefined
  readonly profiles: Readonly<Record<string, Profile>>
}

/** The name for no profile. */
const NONE = 'none'

/** The operating system's directory for users' settings. */
export function profilesPath(env: Io['env']): string {
  const base =
    (process.platform === 'win32' ? env['APPDATA'] : env['XDG_CONFIG_HOME']) ||
    join(env['HOME'] ?? homedir(), '.config')
  return join(base, 'millrace', 'profiles.json')
}

/** @throws {CliError} usage, for a file that other users may read, or that is no file of profiles */
export function readProfiles(env: Io['env']): Profiles {
  const path = profilesPath(env)
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return { profiles: {} }
    throw new CliError('usage', `profiles: ${path} cannot be read`, { cause: error })
  }
  if (process.platform !== 'win32' && (statSync(path).mode & 0o077) !== 0)
    throw new CliError('usage', `profiles: others may read ${path}: chmod 600 ${path}`)
  return checked(text, path)
}

/** Replaces the file as a whole. */
export function writeProfiles(profiles: Profiles, env: Io['env']): void {
  const path = profilesPath(env)
  const draft = `${path}.${process.pid}`
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
  writeFileSync(draft, `${JSON.stringify(profiles, null, 2)}\n`, { mode: 0o600 })
  chmodSync(draft, 0o600)
  renameSync(draft, path)
}

/** @param name from a flag or variable; undefined: the one in use. @throws {CliError} notFound */
export function profileNamed(name: string | undefined, env: Io['env']): Profile | undefined {
  if (name === NONE) return undefined
  const { current, profiles } = readProfiles(env)
  const wanted = name ?? current
  if (wanted === undefined) return undefined
  if (Object.hasOwn(profiles, wanted)) return profiles[wanted]
  throw unknownProfile(wanted, profiles)
}

export function unknownProfile(name: string, profiles: Profiles['profiles']): CliError {
  const names = Object.keys(profiles)
  const known = names.length === 0 ? 'there are none' : `there are ${names.join(', ')}`
  return new CliError('notFound', `there is no profile ${name.slice(0, 100)}; ${known}`)
}

function checked(text: string, path: string): Profiles {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    // reported below, without a part of the file, which JSON.parse would show
  }
  const { profiles, current } = isObject(value) ? value : {}
  const isRight =
    isObject(profiles) &&
    Object.values(profiles).every(isProfile) &&
    (current === undefined || typeof current === 'string')
  if (!isRight) throw new CliError('usage', `profiles: ${path} is no file of profiles`)
  return value as Profiles
}

function isProfile(value: unknown): boolean {
  const isSetting = (each: unknown): boolean => typeof each === 'string' || each === true
  return isObject(value) && Object.values(value).every(isSetting)
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
