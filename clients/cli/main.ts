#!/usr/bin/env node
// millrace: the command of the package: runs its arguments in this process and sets the exit code.
// For users: docs/guide/cli.md

import nodeModule from 'node:module'

// From Node 22.8 on, Node caches the compiled code of the modules that follow in the temporary directory.
;(nodeModule as { enableCompileCache?: () => unknown }).enableCompileCache?.()

void import('./run.ts')
  .then(({ run }) => run(process.argv.slice(2), process))
  .then((status) => process.exit(status))
