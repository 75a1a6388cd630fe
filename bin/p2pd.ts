#!/usr/bin/env node
/** The command `p2pd`. */
import { enableCompileCache } from './compile-cache.ts'

enableCompileCache(process.env)
const { main } = await import('./cli.ts')
process.exitCode = await main(process.argv.slice(2))
