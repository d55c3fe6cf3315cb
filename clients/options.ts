// Options: checks the arguments of calls of the public API against a table beside the option's type. Pure.
// A table that lacks an option or a value of its type does not compile. A TypeError names the wrong argument.

import { types } from 'node:util'
import { shown } from './shown.ts'

/** A rule for a value. */
export interface Rule<in out T> {
  /** The text after "expected" in a message. */
  readonly expected: string
  /**
   * @param call and @param name are the call and the argument in a message
   * @returns the value; for objects and arrays with rules of their own a copy, for which each property is read once
   * @throws {TypeError}
   */
  take(value: unknown, call: string, name: string): T
}

/** A rule that returns the value unchanged. */
export interface Check<in out T> extends Rule<T> {
  allows(value: unknown): boolean
}

interface RequiredRule<in out T> extends Rule<T> {
  readonly isRequired: true
}

/** One row for each option of `T`. */
export type Table<T> = {
  readonly [Name in keyof T]-?: undefined extends T[Name]
    ? Rule<Exclude<T[Name], undefined>>
    : RequiredRule<T[Name]>
}

/** With fewer edits than this, a name counts as a misspelling of another. */
const EDITS_MAX = 3

const INT32_MAX = 0x7fffffff

/** Kafka's clients cannot send a longer name in every version. */
const TEXT_CHARS_MAX = 10_000

/** @param test a value for which the test throws is not allowed */
export function rule<T>(expected: string, test: (value: any) => boolean): Check<T> {
  const allows = (value: unknown): boolean => isTrue(test, value)
  return {
    expected,
    allows,
    take(value, call, name) {
      if (allows(value)) return value as T
      throw refusal(value, expected, call, name)
    },
  }
}

/** A rule for a secret: its messages name the type of a wrong value, not the value. */
export function secret<T>(of: Rule<T>): Rule<T> {
  return {
    expected: of.expected,
    take(value, call, name) {
      if (typeof value === 'object' && value !== null) return of.take(value, call, name)
      try {
        return of.take(value, call, name)
      } catch {
        const what = value === undefined ? 'missing' : value === '' ? 'empty' : `a ${typeof value}`
        throw new TypeError(`${call}: ${name} is ${what}, expected ${of.expected}`)
      }
    },
  }
}

export function required<T>(of: Rule<T>): RequiredRule<T> {
  return { ...of, isRequired: true }
}

export const flag: Check<boolean> = rule('true or false', (value) => typeof value === 'boolean')

export function callback<T>(): Rule<T> {
  return rule('a function', (value) => typeof value === 'function')
}

/** A user's object with these methods, and perhaps others. */
export function methods<T extends object>(...names: readonly (keyof T & string)[]): Rule<T> {
  return rule(`an object with the methods ${names.join(', ')}`, (value) =>
    names.every((name) => typeof value[name] === 'function'),
  )
}

export function text(charsMin = 1): Check<string> {
  const some = charsMin > 0 ? 'text that is not empty' : 'text'
  return rule(
    `${some}, at most ${TEXT_CHARS_MAX} characters`,
    (value) =>
      typeof value === 'string' && value.length >= charsMin && value.length <= TEXT_CHARS_MAX,
  )
}

export function whole(min = 0, max = INT32_MAX): Check<number> {
  return rule(
    `a whole number from ${min} to ${max}`,
    (value) => Number.isSafeInteger(value) && value >= min && value <= max,
  )
}

/** A time that stays within this process. */
export function milliseconds(min = 0): Rule<number> {
  return rule(
    `a number of ms from ${min} to ${INT32_MAX}`,
    (value) => typeof value === 'number' && value >= min && value <= INT32_MAX,
  )
}

export const patienceMs: Rule<number> = rule(
  'a number of ms, or Infinity',
  (value) => typeof value === 'number' && value >= 0,
)

export const date: Rule<Date> = rule(
  'a valid Date',
  (value) => types.isDate(value) && !Number.isNaN(Date.prototype.getTime.call(value)),
)

export const signal: Rule<AbortSignal> = rule(
  'an AbortSignal',
  (value) => typeof value.aborted === 'boolean' && typeof value.addEventListener === 'function',
)

export function oneOf<const Values extends readonly (string | number)[]>(
  ...values: Values
): Rule<Values[number]> {
  const expected = listed(values.map((value) => JSON.stringify(value).replaceAll('"', "'")))
  return {
    expected,
    take(value, call, name) {
      if ((values as readonly unknown[]).includes(value)) return value as Values[number]
      const near = typeof value === 'string' && nearest(value, values)
      throw refusal(value, near ? `${expected}; did you mean '${near}'?` : expected, call, name)
    },
  }
}

/** The first of `rules` that accepts the value. */
export function either<T>(expected: string, ...rules: readonly Rule<any>[]): Rule<T> {
  return {
    expected,
    take(value, call, name) {
      for (const each of rules) {
        try {
          return each.take(value, call, name)
        } catch {
          // perhaps the next rule accepts it
        }
      }
      throw refusal(value, expected, call, name)
    },
  }
}

/** The value, or an object with more options. A message names the wrong part of the object. */
export function orElse<A, B>(one: Check<A>, object: Rule<B>): Rule<A | B> {
  const expected = `${one.expected}, or ${object.expected}`
  return {
    expected,
    take(value, call, name) {
      if (one.allows(value)) return value as A
      if (isTrue(isObject, value)) return object.take(value, call, name)
      throw refusal(value, expected, call, name)
    },
  }
}

export function listOf<T>(item: Rule<T>, countMin = 0): Rule<readonly T[]> {
  const expected = `an array${countMin > 0 ? ` of at least ${countMin}` : ''}, each ${item.expected}`
  return {
    expected,
    take(value, call, name) {
      const given = isTrue(Array.isArray, value) && lookedAt(() => Array.from(value as unknown[]))
      if (!given) throw refusal(value, expected, call, name)
      const items = given.map((each, i) => item.take(each, call, `${name}[${i}]`))
      if (items.length >= countMin) return items
      throw new TypeError(`${call}: ${name} is empty, expected ${expected}`)
    },
  }
}

/** An object with names of the user's choice. */
export function namesTo<T>(value: Rule<T>): Rule<Readonly<Record<string, T>>> {
  const expected = `an object, each value ${value.expected}`
  return {
    expected,
    take(given, call, name) {
      const entries = isTrue(isObject, given) && lookedAt(() => Object.entries(given as object))
      if (!entries) throw refusal(given, expected, call, name)
      return Object.fromEntries(
        entries.map(([key, each]) => [key, value.take(each, call, `${name}.${key}`)]),
      )
    },
  }
}

/** An object with these options, and no others. */
export function shape<T>(table: Table<T>): Rule<T> {
  const rows = Object.entries(table) as [string, Rule<unknown> & { isRequired?: true }][]
  const names = Object.keys(table)
  const known = new Set(names)
  const expected = `an object with ${names.slice(0, 5).join(', ')}${names.length > 5 ? ', ...' : ''}`
  return {
    expected,
    take(value, call, name) {
      const given = value as Record<string, unknown>
      const own = isTrue(isObject, value) && lookedAt(() => Object.keys(given))
      const options = own && lookedAt(() => names.map((each) => given[each]))
      if (!options) throw refusal(value, expected, call, name || 'options')
      const stranger = own.find((each) => !known.has(each))
      if (stranger !== undefined) throw unknownName(stranger, names, call, name)
      const taken: Record<string, unknown> = {}
      for (const [i, [each, row]] of rows.entries()) {
        const option = options[i]
        if (option !== undefined) taken[each] = row.take(option, call, within(name, each))
        else if (row.isRequired) throw refusal(option, row.expected, call, within(name, each))
      }
      return taken as T
    },
  }
}

/** @throws {TypeError} if an argument or one of its options is wrong. @param name the argument, if it is not the options */
export function checked<T>(call: string, of: Rule<T>, value: unknown, name = ''): T {
  return of.take(value, call, name)
}

function refusal(value: unknown, expected: string, call: string, name: string): TypeError {
  const what = value === undefined ? 'missing' : shown(value)
  return new TypeError(`${call}: ${name} is ${what}, expected ${expected}`)
}

function unknownName(
  stranger: string,
  names: readonly string[],
  call: string,
  name: string,
): TypeError {
  const near = nearest(stranger, names)
  const hint = near === undefined ? `known are ${listed(names)}` : `did you mean ${near}?`
  return new TypeError(
    `${call}: there is no option ${within(name, stranger.slice(0, 100))}; ${hint}`,
  )
}

function within(name: string, option: string): string {
  return name === '' ? option : `${name}.${option}`
}

function isObject(value: unknown): boolean {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function isTrue(test: (value: any) => boolean, value: unknown): boolean {
  return lookedAt(() => test(value)) ?? false
}

/** @returns undefined if a user's proxy or getter throws */
function lookedAt<R>(look: () => R): R | undefined {
  try {
    return look()
  } catch {
    return undefined
  }
}

function listed(texts: readonly string[]): string {
  return texts.length < 2 ? texts.join('') : `${texts.slice(0, -1).join(', ')} or ${texts.at(-1)}`
}

function nearest(given: string, names: readonly (string | number)[]): string | undefined {
  let [best, bestEdits]: [string | undefined, number] = [undefined, EDITS_MAX]
  for (const name of names) {
    if (typeof name !== 'string' || Math.abs(name.length - given.length) >= bestEdits) continue
    const edits = editsBetween(given.toLowerCase(), name.toLowerCase())
    if (edits < bestEdits && edits < name.length) [best, bestEdits] = [name, edits]
  }
  return best
}

/** Levenshtein's distance. */
function editsBetween(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      const replaced = row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1)
      next.push(Math.min(replaced, row[j]! + 1, next[j - 1]! + 1))
    }
    row = next
  }
  return row[b.length]!
}
