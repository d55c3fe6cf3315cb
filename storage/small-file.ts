// Small files that are read and written as a whole: meta.json, seals. Any thread.

import type { Fs } from './fs.ts'
import { UNFINISHED_SUFFIX } from './layout.ts'

export function readText(fs: Fs, path: string): string {
  const fd = fs.open(path, 'read')
  try {
    const bytes = Buffer.alloc(fs.sizeBytes(fd))
    return bytes.toString('utf8', 0, fs.read(fd, bytes, 0))
  } finally {
    fs.close(fd)
  }
}

/** Never seen in part, and durable but for its directory entry. */
export function writeWhole(fs: Fs, path: string, bytes: Uint8Array): void {
  const unfinished = path + UNFINISHED_SUFFIX
  const fd = fs.open(unfinished, 'replace')
  try {
    for (let at = 0; at < bytes.length;) at += fs.write(fd, bytes.subarray(at), at)
    fs.sync(fd)
  } finally {
    fs.close(fd)
  }
  fs.rename(unfinished, path)
}
