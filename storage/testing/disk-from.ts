// Copies a data directory from the real disk to one in memory, durably, so that thousands of starts on it are cheap.
// Tests only.

import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { FaultyFs } from './faulty-fs.ts'

const ROOT = '/d'
/** Files that a start can do without. */
const OTHERS = /lock|ballast/

/** @returns a disk that has the directory as `/d` */
export function diskFrom(dataDir: string): FaultyFs {
  const disk = new FaultyFs()
  const directories = ['/', ROOT]
  disk.makeDirectory(ROOT)
  for (const name of readdirSync(dataDir, { recursive: true, encoding: 'utf8' }).sort()) {
    const path = `${ROOT}/${name}`
    if (statSync(join(dataDir, name)).isDirectory()) {
      disk.makeDirectory(path)
      directories.push(path)
    } else if (!OTHERS.test(name)) {
      const fd = disk.open(path, 'create')
      disk.write(fd, readFileSync(join(dataDir, name)), 0)
      disk.sync(fd)
      disk.close(fd)
    }
  }
  for (const directory of directories) disk.syncDirectory(directory)
  return disk
}

/** Changes bytes of a file. */
export function overwrite(disk: FaultyFs, path: string, bytes: Uint8Array, position: number): void {
  const fd = disk.open(path, 'write')
  disk.write(fd, bytes, position)
  disk.sync(fd)
  disk.close(fd)
}
