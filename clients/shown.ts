// shown: a value that is refused, in a few words for a message. It never throws, whatever the value is. Pure.

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
    // a proxy or a getter of the user's that throws
  }
  return 'an object'
}

/** The text of whatever user code has thrown, which need not be an error. */
export function thrownText(thrown: unknown): string {
  try {
    if (types.isNativeError(thrown)) return String(thrown.message)
  } catch {
    // as above
  }
  return `it threw ${shown(thrown)}`
}

/** Hears the failure of a promise that user code has returned where none can be waited for. */
export function mute(value: unknown): void {
  if (types.isPromise(value)) void Promise.prototype.then.call(value, undefined, () => {})
}
