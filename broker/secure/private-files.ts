// PrivateFiles: the files of a directory that only its owner can read. Each is replaced as a whole, durably.

import {
  chmodSync,
  closeSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  writeSync,
} from 'node:fs'
import { join } from 'node:path'

const DIRECTORY_MODE = 0o700
const FILE_MODE = 0o600

export class PrivateFiles {
  readonly directory: string

  /** Makes the directory if it is not there; its parent must be. */
  constructor(directory: string) {
    this.directory = directory
    mkdirSync(directory, { recursive: true, mode: DIRECTORY_MODE })
    chmodSync(directory, DIRECTORY_MODE)
  }

  path(name: string): string {
    return join(this.directory, name)
  }

  /** @returns undefined if there is none */
  read(name: string): string | undefined {
    try {
      return readFileSync(this.path(name), 'utf8')
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
      throw error
    }
  }

  write(name: string, text: string): void {
    const draft = `${this.path(name)}.tmp`
    const file = openSync(draft, 'w', FILE_MODE)
    try {
      writeSync(file, text)
      fsyncSync(file)
    } finally {
      closeSync(file)
    }
    chmodSync(draft, FILE_MODE)
    renameSync(draft, this.path(name))
  }
}
