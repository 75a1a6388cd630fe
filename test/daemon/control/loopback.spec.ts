import assert from 'node:assert/strict'
import { chmod, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { removeTempDirs } from '../../support/temp-dir.ts'
import { openControl, type TestControl } from '../support/control.ts'
import { call } from '../support/raw-http.ts'

describe('the control API over TCP', () => {
  let control: TestControl
  let place: { host: string; port: number }
  let authorization: string

  beforeEach(async () => {
    control = await openControl({ tcp: '127.0.0.1:0', origins: ['https://console.example'] })
    const { hostname, port } = new URL(control.plane.url ?? '')
    place = { host: hostname, port: Number(port) }
    authorization = `Bearer ${(await readFile(join(control.dataDir, 'control.token'), 'utf8')).trim()}`
  })

  afterEach(async () => {
    await control.plane.close()
    await removeTempDirs()
  })

  async function ask(headers: Record<string, string>): Promise<[number, string | undefined]> {
    const { status, body } = await call(place, '/v1/status', { headers })
    return [status, JSON.parse(body).error?.code]
  }

  it('listens on loopback alone and keeps its token in a file of this user', async () => {
    assert.equal(place.host, '127.0.0.1')
    assert.equal((await stat(join(control.dataDir, 'control.token'))).mode & 0o777, 0o600)
  })

  it('answers whoever has the token', async () => {
    assert.deepEqual(await ask({ authorization }), [200, undefined])
    assert.deepEqual(await ask({ authorization, host: `localhost:${place.port}` }), [200, undefined])
  })

  it('refuses everything else, on every route', async () => {
    assert.deepEqual(await ask({}), [401, 'ERR_UNAUTHORIZED'])
    for (const wrong of [
      'Bearer',
      'Bearer x',
      `${authorization}x`,
      authorization.slice(0, -1),
      'Basic eDp5',
    ]) {
      assert.deepEqual(await ask({ authorization: wrong }), [401, 'ERR_UNAUTHORIZED'])
    }
    for (const path of ['/metrics', '/healthz', '/v1/members/events', '/v1/openapi.json', '/nothing']) {
      assert.equal((await call(place, path)).status, 401, path)
    }
  })

  it('refuses a Host that is not its own, as after DNS rebinding', async () => {
    for (const host of ['evil.example', `evil.example:${place.port}`, '127.0.0.1']) {
      assert.deepEqual(await ask({ authorization, host }), [403, 'ERR_FOREIGN_HOST'])
    }
  })

  it('refuses the pages of other sites', async () => {
    assert.deepEqual(await ask({ authorization, origin: 'https://evil.example' }), [
      403,
      'ERR_FOREIGN_ORIGIN',
    ])
    assert.deepEqual(await ask({ authorization, origin: 'null' }), [403, 'ERR_FOREIGN_ORIGIN'])
    assert.deepEqual(await ask({ authorization, origin: 'https://console.example' }), [200, undefined])
  })

  it('does not start with a token that others can read', async () => {
    const { dataDir } = control
    await control.plane.close()
    await chmod(join(dataDir, 'control.token'), 0o644)
    await assert.rejects(openControl({ dataDir, tcp: '127.0.0.1:0' }), { code: 'ERR_KEY_PERMISSIONS' })
  })
})
