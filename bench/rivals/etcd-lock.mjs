// Clients of an etcd cluster: its own lock service, over its HTTP gateway, on connections that stay open. See locking.mjs.
import { Agent, request } from 'node:http'
import { locking } from './locking.mjs'

const base64 = (text) => Buffer.from(text).toString('base64')

locking(async ({ endpoint }) => {
  const agent = new Agent({ keepAlive: true, maxSockets: 64 })
  const ask = (path, body) => post(new URL(path, endpoint), agent, body)
  // Each contender needs a lease of its own: one lease holds a lock once.
  const idle = []
  const lease = async () => idle.pop() ?? (await ask('/v3/lease/grant', { TTL: 60 })).ID
  return {
    about: {},
    async ready() {
      await ask('/v3/lease/grant', { TTL: 60 })
    },
    async acquire(lock) {
      const id = await lease()
      const { key } = await ask('/v3/lock/lock', { name: base64(lock), lease: id })
      return {
        token: 0,
        async release() {
          await ask('/v3/lock/unlock', { key })
          idle.push(id)
        },
      }
    },
  }
})

function post(url, agent, body) {
  return new Promise((resolve, reject) => {
    const text = JSON.stringify(body)
    const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) }
    const asked = request(url, { method: 'POST', agent, headers }, (answer) => {
      const chunks = []
      answer.on('data', (chunk) => chunks.push(chunk))
      answer.on('end', () => {
        const told = Buffer.concat(chunks).toString()
        if (answer.statusCode === 200) resolve(JSON.parse(told))
        else reject(new Error(`etcd answered ${answer.statusCode}: ${told}`))
      })
    })
    asked.once('error', reject)
    asked.end(text)
  })
}
