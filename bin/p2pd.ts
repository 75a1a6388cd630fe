#!/usr/bin/env node
/** The command `p2pd`. */
import { enableCompileCache } from './compile-cache.ts'

/** What a command left open may not keep the process for longer. */
const lingerMs = 200

enableCompileCache(process.env)
const { main } = await import('./cli.ts')
process.exitCode = await main(process.argv.slice(2))
setTimeout(() => process.exit(), lingerMs).unref()
