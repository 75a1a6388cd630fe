import { chaos, serves } from './chaos.ts'

describe('whatever happens to an electorate', () => {
  it('no two versions serve, none without reports of a quorum, and in the end one does', () => {
    for (let seed = 1; seed <= 25; seed++) serves(chaos(seed), seed)
  })
})
