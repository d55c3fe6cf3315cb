#!/usr/bin/env node
// millrace: the command of the package: runs its arguments in this process and sets the exit code.
// For users: docs/guide/cli.md

import nodeModule from 'node:module'
import { run } from './run.ts'

// From Node 22.8 on, Node caches the compiled code of the modules that follow in the temporary directory: it saves a tenth of a start.
;(nodeModule as { enableCompileCache?: () => unknown }).enableCompileCache?.()

process.exit(await run(process.argv.slice(2), process))
