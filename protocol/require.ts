// Loads packages on first use, synchronously: an `import` would make every caller asynchronous, and
// makes Node parse a CommonJS package twice. Any thread.

import { createRequire } from 'node:module'

/** A bundler that makes CommonJS of this module leaves `import.meta.url` undefined. */
export const require = createRequire(import.meta.url ?? __filename)

/** Does `require` throw this error because the package itself is missing? A program in one file may lack it. */
export function isMissing(error: unknown): boolean {
  return (error as NodeJS.ErrnoException).code === 'MODULE_NOT_FOUND'
}

/** @throws {Error} if the package is missing; the message says what to install */
export function resolveFor(purpose: string, name: string): string {
  try {
    return require.resolve(name)
  } catch (error) {
    if (!isMissing(error)) throw error
    const advice = 'install it, or leave millrace out of the bundle'
    throw new Error(`${purpose} needs the package ${name}: ${advice}`, { cause: error })
  }
}

/** @throws {Error} if the package is missing; the message says what to install */
export function requireFor(purpose: string, name: string): unknown {
  return require(resolveFor(purpose, name))
}
