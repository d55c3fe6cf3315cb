// The version of this package, from its package.json. Any thread.

import { isMissing, require } from './require.ts'

/** `0.0.0` in a program of one file, which has no package.json beside it. */
export function packageVersion(): string {
  try {
    return (require('millrace/package.json') as { version: string }).version
  } catch (error) {
    if (isMissing(error)) return '0.0.0'
    throw error
  }
}
