// Packages that are loaded when they are first of use, synchronously: an `import` would make every caller asynchronous, and
// has Node parse a CommonJS package twice. Any thread.

import { createRequire } from 'node:module'

/** A bundler that makes CommonJS of this module leaves `import.meta.url` undefined. */
export const require = createRequire(import.meta.url ?? __filename)

/** Is this what `require` throws when the package itself is missing, as it may be beside a program in one file? */
export function isMissing(error: unknown): boolean {
  return (error as NodeJS.ErrnoException).code === 'MODULE_NOT_FOUND'
}

/** @throws {Error} what to install, when the package is missing */
export function resolveFor(purpose: string, name: string): string {
  try {
    return require.resolve(name)
  } catch (error) {
    if (!isMissing(error)) throw error
    const advice = 'install it, or leave millrace out of the bundle'
    throw new Error(`${purpose} needs the package ${name}: ${advice}`, { cause: error })
  }
}

/** @throws {Error} what to install, when the package is missing */
export function requireFor(purpose: string, name: string): unknown {
  return require(resolveFor(purpose, name))
}
