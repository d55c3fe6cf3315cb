#!/usr/bin/env node
// millrace: the command of the package: runs its arguments in this process, and ends with the exit code.
// For users: docs/guide/cli.md

import nodeModule from 'node:module'
import { run } from './run.ts'

// From Node 22.8 on, what is loaded from here on is compiled once and kept in the temporary directory: a tenth of a start.
;(nodeModule as { enableCompileCache?: () => unknown }).enableCompileCache?.()

process.exit(await run(process.argv.slice(2), process))
