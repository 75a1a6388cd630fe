import { createServer } from 'node:net'

/** Listens with room for next to nobody; who stops it has a machine that answers no connect. Ends with its parent. */
process.on('disconnect', () => process.exit())
const server = createServer(() => {})
server.listen({ port: 0, host: '127.0.0.1', backlog: 1 }, () => process.send?.(server.address()))
