// shown: describes a wrong value in a few words, for a message. It never throws, whatever the value. Pure.

import { types } from 'node:util'

const TEXT_MAX = 40

export function shown(value: unknown): string {
  switch (typeof value) {
    case 'string':
      return JSON.stringify(value.length > TEXT_MAX ? `${value.slice(0, TEXT_MAX)}...` : value)
    case 'bigint':
    case 'symbol':
    case 'function':
      return `a ${typeof value}`
    case 'object':
      return value === null ? 'null' : kindOf(value)
    default:
      return String(value)
  }
}

function kindOf(value: object): string {
  try {
    const { name } = value.constructor
    if (typeof name === 'string' && /^\w{1,40}$/.test(name) && name !== 'Object')
      return `${/^[AEIOU]/.test(name) ? 'an' : 'a'} ${name}`
  } catch {
    // a user's proxy or getter throws
  }
  return 'an object'
}

/** The text of a value that user code has thrown, which may be no error. */
export function thrownText(thrown: unknown): string {
  try {
    if (types.isNativeError(thrown)) return String(thrown.message)
  } catch {
    // as above
  }
  return `it threw ${shown(thrown)}`
}

/** Handles the rejection of a promise that user code returned and no caller can await. */
export function mute(value: unknown): void {
  if (types.isPromise(value)) void Promise.prototype.then.call(value, undefined, () => {})
}
