// Small files, most of them text, that are replaced whole: old or new contents, never a mix. Writer thread.

import { join } from 'node:path'
import { isRefusal, orDiskFailure, syncOrDie } from './disk-failure.ts'
import type { Fs } from './fs.ts'
import { UNFINISHED_SUFFIX } from './layout.ts'

/** @returns undefined when there is no such file */
export function readBytes(fs: Fs, path: string): Buffer | undefined {
  if (!fs.stat(path)) return undefined
  const fd = fs.open(path, 'read')
  try {
    const bytes = Buffer.alloc(fs.sizeBytes(fd))
    return bytes.subarray(0, fs.read(fd, bytes, 0))
  } finally {
    fs.close(fd)
  }
}

/** @returns undefined when there is no such file */
export function readText(fs: Fs, path: string): string | undefined {
  return readBytes(fs, path)?.toString()
}

/** As `replaceBytes`. */
export function replaceText(
  fs: Fs,
  directory: string,
  name: string,
  text: string,
  durability: { readonly isDurable: boolean },
): void {
  replaceBytes(fs, directory, name, Buffer.from(text), durability)
}

/** @throws when the disk refuses: the old contents stay; {DiskFailure} when it fails */
export function replaceBytes(
  fs: Fs,
  directory: string,
  name: string,
  bytes: Uint8Array,
  { isDurable }: { readonly isDurable: boolean },
): void {
  const path = join(directory, name)
  const unfinished = path + UNFINISHED_SUFFIX
  try {
    orDiskFailure(path, () => {
      writeWhole(fs, unfinished, bytes, isDurable)
      fs.rename(unfinished, path)
    })
  } catch (error) {
    if (isRefusal(error) && fs.stat(unfinished)) fs.removeFile(unfinished)
    throw error
  }
  if (isDurable) syncOrDie(directory, () => fs.syncDirectory(directory))
}

function writeWhole(fs: Fs, path: string, bytes: Uint8Array, isDurable: boolean): void {
  const fd = fs.open(path, 'replace')
  try {
    for (let at = 0; at < bytes.length;) at += fs.write(fd, bytes.subarray(at), at)
    if (isDurable) syncOrDie(path, () => fs.sync(fd))
  } finally {
    fs.close(fd)
  }
}
