// The version of this package, as its package.json has it. Any thread.

import { isMissing, require } from './require.ts'

/** `0.0.0` in a program of one file, beside which there is no package.json. */
export function packageVersion(): string {
  try {
    return (require('millrace/package.json') as { version: string }).version
  } catch (error) {
    if (isMissing(error)) return '0.0.0'
    throw error
  }
}
