// New salts and passwords, which nobody can foresee. Any thread.

import { randomBytes, randomInt } from 'node:crypto'

export const SALT_BYTES = 32
/** Without those that look alike. They need no quotes in property files, JAAS lines, URLs and shells. */
const CHARACTERS = 'abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789'
/** 139 bits. */
const PASSWORD_CHARS = 24

export function randomSalt(): Buffer {
  return randomBytes(SALT_BYTES)
}

export function randomPassword(): string {
  const next = (): string => CHARACTERS[randomInt(CHARACTERS.length)]!
  return Array.from({ length: PASSWORD_CHARS }, next).join('')
}
