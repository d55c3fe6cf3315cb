// ThriftyFs: when the process can open no further file, it closes an idle one and tries the operation again. Writer
// thread.

import { isOutOfDescriptors } from '../disk-failure.ts'
import type { Fs } from '../fs.ts'

/** @param closeOne frees a file descriptor; false: it can free none */
export function thriftyFs(fs: Fs, closeOne: () => boolean): Fs {
  const thriftily = <Result>(operation: () => Result): Result => {
    for (;;) {
      try {
        return operation()
      } catch (error) {
        if (!isOutOfDescriptors(error) || !closeOne()) throw error
      }
    }
  }
  return {
    open: (path, mode) => thriftily(() => fs.open(path, mode)),
    syncDirectory: (path) => thriftily(() => fs.syncDirectory(path)),
    readDirectory: (path) => thriftily(() => fs.readDirectory(path)),
    removeTree: (path) => thriftily(() => fs.removeTree(path)),
    // The other operations need no further descriptor.
    close: fs.close.bind(fs),
    read: fs.read.bind(fs),
    readAsync: fs.readAsync.bind(fs),
    write: fs.write.bind(fs),
    writev: fs.writev.bind(fs),
    sync: fs.sync.bind(fs),
    truncate: fs.truncate.bind(fs),
    sizeBytes: fs.sizeBytes.bind(fs),
    stat: fs.stat.bind(fs),
    makeDirectory: fs.makeDirectory.bind(fs),
    rename: fs.rename.bind(fs),
    removeFile: fs.removeFile.bind(fs),
    space: fs.space.bind(fs),
  }
}
