// A plugin: greets members over a link of its own, and counts the answers.
//   p2pd --plugin ./examples/hello-plugin.mjs, and then: p2pd hello MEMBER

/** The protocol, as a pure state machine: inputs in, effects out; no clock, no socket. */
const core = {
  deadline: undefined,
  step(input) {
    if (input.type === 'greet') return [{ type: 'send', to: input.to, message: 'hello' }]
    if (input.type !== 'receive') return []
    if (input.message === 'hello') return [{ type: 'send', to: input.from, message: 'welcome' }]
    return [{ type: 'emit', event: { type: 'answered', by: input.from } }]
  },
}
const utf8 = new TextDecoder('utf-8', { fatal: true })
const codec = { encode: (message) => Buffer.from(message), decode: (bytes) => utf8.decode(bytes) }

const request = { method: 'POST', path: '/v1/hello/:member', summary: 'greet a member' }
const member = { name: 'member', summary: 'peer id, unique prefix of one, or unique name' }
const help = 'Greetings that were answered.'

export const plugin = {
  name: 'hello',
  needs: [],
  run({ drive }) {
    const api = { answers: 0, greet: (to) => driver.command({ type: 'greet', to }) }
    const driver = drive({ core, codec, emitted: () => api.answers++, requested: () => {} })
    return { api }
  },
  routes({ z }) {
    const handle = ({ api, params, peerOf }) => {
      api.greet(peerOf(params.member))
      return { answers: api.answers }
    }
    return [{ ...request, answer: z.object({ answers: z.number() }), handle }]
  },
  verbs: [{ ...request, name: 'hello', examples: [['p2pd hello m2', 'say hello']], arguments: [member] }],
  metrics: [
    { name: 'p2pd_hello_answers_total', help, type: 'counter', samples: (api) => [{ value: api.answers }] },
  ],
  checker: {
    name: 'greetings',
    check(history) {
      const count = (type) => history.filter((event) => event.type === type).length
      return count('answered') <= count('greet') ? [] : [{ property: 'asked', message: 'nobody asked' }]
    },
  },
}
