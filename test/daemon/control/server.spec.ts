import assert from 'node:assert/strict'
import { connect } from 'node:net'
import { contract } from '../../../daemon/control/contract.ts'
import { type Api, routes } from '../../../daemon/control/routes.ts'
import { errorAnswer, limits } from '../../../daemon/control/schemas.ts'
import { decodeInvite } from '../../../daemon/invite.ts'
import { P2pdError } from '../../../lib/wire/errors.ts'
import { eventually } from '../../support/eventually.ts'
import { removeTempDirs } from '../../support/temp-dir.ts'
import { openControl, type TestControl, testSecret } from '../support/control.ts'
import { ids, view } from '../support/fake-peer.ts'
import { type Answer, call, openStream, post } from '../support/raw-http.ts'

describe('the control API', () => {
  let control: TestControl

  beforeEach(async () => {
    control = await openControl()
  })

  afterEach(async () => {
    await control.plane.close()
    await removeTempDirs()
  })

  /** The answer, which must be exactly what the contract says. */
  function answered<Name extends keyof Api>(name: Name, answer: Answer): Api[Name]['answer'] {
    assert.equal(answer.status, 200, answer.body)
    assert.match(answer.headers['content-type'] ?? '', /^application\/json/)
    return contract[name].answer.parse(JSON.parse(answer.body)) as Api[Name]['answer']
  }

  async function get<Name extends keyof Api>(name: Name, query = ''): Promise<Api[Name]['answer']> {
    return answered(name, await call(control.place, routes[name].path + query))
  }

  async function send<Name extends keyof Api>(
    name: Name,
    body: Api[Name]['body'],
  ): Promise<Api[Name]['answer']> {
    return answered(name, await post(control.place, routes[name].path, body))
  }

  function refused(answer: Answer, status: number, code: string): void {
    assert.equal(answer.status, status, answer.body)
    assert.equal(errorAnswer.parse(JSON.parse(answer.body)).error.code, code)
  }

  it('tells the status', async () => {
    const status = await get('status')
    assert.equal(status.peerId, ids[0])
    assert.equal(status.version, '9.9.9')
    assert.deepEqual(status.members, { alive: 2, suspect: 0, dead: 1, left: 0 })
    const { version, voters, reachable, self } = status.quorum
    assert.deepEqual([version, voters, reachable, self], [0, [], false, 'none'])
    assert.deepEqual(status.locks, { held: 0, waiting: 0 })
    assert.deepEqual(status.health, { score: 0, isolated: false, loopLagMs: 0, loopLagMaxMs: 0 })
    assert.deepEqual([status.tags, status.stalled, status.nameConflicts], [{ role: 'web' }, 0, []])
  })

  it('tells which names several living members bear, and who stalls', async () => {
    control.peer.views = [
      view(ids[0], 'm0', { self: true }),
      view(ids[1], 'm0', { status: 'stalled' }),
      view(ids[2], 'm0', { status: 'dead' }),
    ]
    const { nameConflicts, stalled, members } = await get('status')
    assert.deepEqual(nameConflicts, [{ name: 'm0', peers: [ids[0], ids[1]].sort() }])
    assert.equal(stalled, 1)
    assert.deepEqual(members, { alive: 1, suspect: 1, dead: 1, left: 0 })
    const { members: rows } = await get('members', '?status=suspect')
    assert.deepEqual(
      rows.map(({ status, detail }) => [status, detail]),
      [['suspect', 'stalled']],
    )
  })

  it('lists members by tags, all of which have to match', async () => {
    control.peer.views = [
      view(ids[0], 'm0', { self: true, tags: { role: 'web', zone: 'a=b' } }),
      view(ids[1], 'm1', { tags: { role: 'web' } }),
      view(ids[2], 'm2', { tags: { role: 'db', zone: '' } }),
    ]
    const named = async (query: string) => (await get('members', query)).members.map(({ name }) => name)
    assert.deepEqual(await named('?tag=role%3Dweb'), ['m0', 'm1'])
    assert.deepEqual(await named('?tag=role=web&tag=zone'), ['m0'])
    assert.deepEqual(await named('?tag=zone'), ['m0', 'm2'])
    assert.deepEqual(await named('?tag=zone%3D'), ['m2'])
    assert.deepEqual(await named('?tag=zone=a%3Db'), ['m0'])
    assert.deepEqual(await named('?tag=constructor'), [])
    const tooMany = Array(33).fill('tag=a').join('&')
    for (const query of ['?tag=', '?tag=a%20b', '?tag==web', `?${tooMany}`, `?tag=${'x'.repeat(400)}`]) {
      refused(await call(control.place, `/v1/members${query}`), 400, 'ERR_BAD_REQUEST')
    }
  })

  it('changes its tags one key at a time, and saves them first', async () => {
    assert.deepEqual(await get('tags'), { tags: { role: 'web' }, kept: true })
    const changed = await Promise.all([
      send('changeTags', { set: { zone: 'eu-1' } }),
      send('changeTags', { set: { role: 'db' }, delete: ['nothing'] }),
    ])
    assert.deepEqual(changed[1], { tags: { role: 'db', zone: 'eu-1' }, kept: true })
    assert.deepEqual(control.peer.tags, { role: 'db', zone: 'eu-1' })
    assert.deepEqual(await send('changeTags', { delete: ['role', 'zone'] }), { tags: {}, kept: true })
    assert.deepEqual(control.saved.at(-1), {})
    const many = Object.fromEntries(Array.from({ length: 33 }, (_, at) => [`k${at}`, '']))
    for (const body of [
      { set: { 'a b': '' } },
      { set: { a: '\n' } },
      { set: { a: 1 } },
      { set: { a: '' }, delete: ['a'] },
      { delete: ['=', 'a'] },
      { set: many },
      { tags: {} },
    ]) {
      refused(await post(control.place, '/v1/tags', body), 400, 'ERR_BAD_REQUEST')
    }
    assert.deepEqual(control.peer.tags, {})
  })

  it('changes no tag that it cannot save, and says which do not last', async () => {
    await control.plane.close()
    control = await openControl({
      tagsAreKept: false,
      saveTags: async ({ full }) => {
        if (full !== undefined) throw new P2pdError('ERR_DISK_FULL', 'no space', { hint: 'free some' })
      },
    })
    refused(await post(control.place, '/v1/tags', { set: { full: 'x' } }), 507, 'ERR_DISK_FULL')
    assert.deepEqual(control.peer.tags, { role: 'web' })
    assert.equal((await send('changeTags', { set: { a: 'x' } })).kept, false)
  })

  it('forces a dead member to leave, by name, and nobody else', async () => {
    assert.deepEqual(await send('forceLeave', { peer: 'm2' }), { peerId: ids[2], name: 'm2', left: true })
    assert.deepEqual(control.peer.dismissed, [ids[2]])
    refused(await post(control.place, '/v1/force-leave', { peer: 'm1' }), 409, 'ERR_NOT_DEAD')
    refused(await post(control.place, '/v1/force-leave', { peer: 'm9' }), 404, 'ERR_UNKNOWN_PEER')
    refused(await post(control.place, '/v1/force-leave', { peer: '12D3' }), 409, 'ERR_AMBIGUOUS_PEER')
    control.peer.dismissal = (signal) =>
      new Promise((_resolve, reject) => signal?.addEventListener('abort', () => reject(signal.reason)))
    refused(await post(control.place, '/v1/force-leave', { peer: 'm2', timeoutMs: 20 }), 504, 'ERR_TIMEOUT')
  })

  it('tells who watches of a change, and of a row that is there no more', async () => {
    const { response } = await openStream(control.place, '/v1/members/events', {})
    let text = ''
    response.on('data', (chunk) => {
      text += chunk
    })
    await eventually('the snapshot', () => text.includes('event: snapshot'))
    control.plane.publish(view(ids[2], 'm2', { status: 'stalled' }), 'stalled')
    control.plane.publish(view(ids[2], 'm2', { status: 'dead' }), 'reaped')
    await eventually('both', () => text.includes('"reaped"'))
    const rows = [...text.matchAll(/event: member\ndata: (.*)\n/g)].map(([, data]) => JSON.parse(data ?? ''))
    assert.deepEqual(
      rows
        .map((row) => contract.members.answer.shape.members.element.parse(row))
        .map(({ status, detail }) => [status, detail]),
      [
        ['suspect', 'stalled'],
        ['dead', 'reaped'],
      ],
    )
    response.destroy()
  })

  it('asks every member that is not gone, and says why one does not answer', async () => {
    control.peer.views.push(
      view('12D3KooWGrAMKX7eK8RXcCwGb2pSjkqKMfm1PwTcPScLGYA7nEeh' as never, 'm3', {
        status: 'stalled',
        connected: false,
        accusers: [ids[1]],
      }),
    )
    const { asked, answered, gone, members } = await send('reachability', { timeoutMs: 30 })
    assert.deepEqual([asked, answered, gone], [2, 1, 1])
    assert.deepEqual(
      members.map(({ name, rttMs, path, why, detail, accusers }) => [
        name,
        rttMs,
        path?.direction,
        why,
        detail,
        accusers,
      ]),
      [
        ['m1', 1.25, 'outbound', null, null, []],
        ['m3', null, undefined, 'timeout', 'stalled', [ids[1]]],
      ],
    )
  })

  it('lists members, itself first, and by status', async () => {
    const { members } = await get('members')
    assert.deepEqual(
      members.map(({ name, self, rttMs }) => [name, self, rttMs]),
      [
        ['m0', true, null],
        ['m1', false, 1.5],
        ['m2', false, 1.5],
      ],
    )
    const dead = await get('members', '?status=dead')
    assert.deepEqual(
      dead.members.map(({ name }) => name),
      ['m2'],
    )
    refused(await call(control.place, '/v1/members?status=alive&status=dead'), 400, 'ERR_BAD_REQUEST')
    refused(await call(control.place, '/v1/members?state=dead'), 400, 'ERR_BAD_REQUEST')
  })

  it('shows joining as alive and leaving as left', async () => {
    control.peer.views = [
      view(ids[0], 'a', { status: 'joining', self: true }),
      view(ids[1], 'b', { status: 'leaving', reason: 'stopping' }),
    ]
    const { members } = await get('members')
    assert.deepEqual(
      members.map(({ status, detail, reason }) => [status, detail, reason]),
      [
        ['alive', 'joining', null],
        ['left', 'leaving', 'stopping'],
      ],
    )
  })

  it('pings by name, and gives up in time', async () => {
    assert.deepEqual(await send('ping', { peer: 'm1' }), { peerId: ids[1], name: 'm1', rttMs: 1.25 })
    refused(await post(control.place, '/v1/ping', { peer: 'm2', timeoutMs: 30 }), 504, 'ERR_TIMEOUT')
    refused(await post(control.place, '/v1/ping', { peer: 'm9' }), 404, 'ERR_UNKNOWN_PEER')
    const ambiguous = await post(control.place, '/v1/ping', { peer: '12D3' })
    refused(ambiguous, 409, 'ERR_AMBIGUOUS_PEER')
    assert.equal(JSON.parse(ambiguous.body).error.peers.length, 3)
  })

  it('makes invites that name its own addresses, or others', async () => {
    const { invite, addresses } = await get('invite')
    assert.deepEqual(decodeInvite(invite), {
      cluster: 'shop',
      secret: testSecret,
      addresses,
      inviter: ids[0],
    })
    const named = ['/dns4/m1.example/tcp/4001']
    assert.deepEqual(decodeInvite((await send('inviteAt', { addresses: named })).invite).addresses, named)
    refused(await post(control.place, '/v1/invite', { addresses: ['/ip4/1.2.3.4'] }), 400, 'ERR_BAD_ADDRESS')
  })

  it('joins, and says who answered', async () => {
    control.peer.onJoin = () => {
      control.peer.views = [...control.peer.views.slice(0, 2), view(ids[2], 'm2')]
    }
    const joined = await send('join', { addresses: ['/dns4/m2.example/tcp/4003'] })
    assert.deepEqual(joined, { contacted: [ids[2]] })
    assert.deepEqual(control.peer.joined, [['/dns4/m2.example/tcp/4003']])
    assert.deepEqual(await send('join', { addresses: [`/ip4/192.0.2.9/tcp/1/p2p/${ids[1]}`] }), {
      contacted: [ids[1]],
    })
  })

  it('says when nobody answered a join', async () => {
    const body = { addresses: [`/ip4/192.0.2.3/tcp/4003/p2p/${ids[2]}`], timeoutMs: 60 }
    refused(await post(control.place, '/v1/join', body), 502, 'ERR_JOIN_FAILED')
    refused(await post(control.place, '/v1/join', { addresses: ['nonsense'] }), 400, 'ERR_BAD_ADDRESS')
  })

  it('leaves, and ends only when its client knows', async () => {
    assert.deepEqual(await send('leave', {}), { left: true })
    await eventually('the departure', () => control.leaves.departed === 1)
    assert.equal(control.leaves.asked, 1)
  })

  it('goes on when it cannot leave, and leaves when it is told to all the same', async () => {
    await control.plane.close()
    control = await openControl({
      leave: async ({ force }) => {
        if (!force) throw new P2pdError('ERR_LEAVE_INCOMPLETE', 'no quorum would be left', { hint: 'wait' })
      },
    })
    refused(await post(control.place, '/v1/leave', {}), 409, 'ERR_LEAVE_INCOMPLETE')
    assert.equal((await get('status')).ready, true)
    assert.equal(control.leaves.departed, 0)
    assert.deepEqual(await send('leave', { force: true }), { left: true })
    await eventually('the departure', () => control.leaves.departed === 1)
  })

  it('asks before the first allow cuts somebody off, and then lets the list decide', async () => {
    assert.deepEqual(await get('peers'), { mode: 'secret', allowed: [], denied: [] })
    const cut = await post(control.place, '/v1/peers/allow', { peers: ['m2'] })
    refused(cut, 409, 'ERR_WOULD_CUT_OFF')
    assert.deepEqual(JSON.parse(cut.body).error.peers, [{ peerId: ids[1], name: 'm1' }])
    assert.equal(control.peer.list.restricted, false)

    const allowed = await send('allowPeers', { peers: ['m2'], confirm: true })
    assert.deepEqual(allowed.allowed, [{ peerId: ids[2], name: 'm2', status: 'dead' }])
    assert.equal(allowed.mode, 'list')
    const stranger = '12D3KooWGrAMKX7eK8RXcCwGb2pSjkqKMfm1PwTcPScLGYA7nEeh'
    const denied = await send('denyPeers', { peers: [stranger] })
    assert.deepEqual(denied.denied, [{ peerId: stranger, name: null, status: null }])
    refused(await post(control.place, '/v1/peers/deny', { peers: ['m0'] }), 400, 'ERR_SELF')
  })

  it('answers whatever is wrong in one form', async () => {
    const { place } = control
    refused(await call(place, '/v1/nothing'), 404, 'ERR_NO_ROUTE')
    refused(await call(place, '/%zz'), 400, 'ERR_BAD_REQUEST')
    refused(await post(place, '/v1/nothing', {}), 404, 'ERR_NO_ROUTE')
    const wrongVerb = await call(place, '/v1/peers', { method: 'DELETE' })
    refused(wrongVerb, 405, 'ERR_METHOD_NOT_ALLOWED')
    assert.equal(wrongVerb.headers.allow, 'GET')
    refused(await post(place, '/v1/ping', { peer: 'm1', extra: 1 }), 400, 'ERR_BAD_REQUEST')
    refused(await post(place, '/v1/ping', {}), 400, 'ERR_BAD_REQUEST')
    const json = { 'content-type': 'application/json' }
    refused(
      await call(place, '/v1/ping', { method: 'POST', headers: json, body: '{' }),
      400,
      'ERR_BAD_REQUEST',
    )
    const proto = '{"__proto__":{"peer":"m1"}}'
    refused(
      await call(place, '/v1/ping', { method: 'POST', headers: json, body: proto }),
      400,
      'ERR_BAD_REQUEST',
    )
    const text = { 'content-type': 'text/plain' }
    refused(
      await call(place, '/v1/ping', { method: 'POST', headers: text, body: '{}' }),
      415,
      'ERR_MEDIA_TYPE',
    )
    refused(await post(place, '/v1/ping', { peer: 'x'.repeat(limits.bodyBytes) }), 413, 'ERR_BODY_TOO_LARGE')
  })

  it('answers what is not HTTP in that form too, and hangs up', async () => {
    const socket = connect({ path: control.place.socketPath })
    let text = ''
    socket.on('data', (chunk) => {
      text += chunk
    })
    socket.write('EHLO example\r\n\r\n')
    await new Promise((resolve) => socket.once('close', resolve))
    assert.match(text, /^HTTP\/1\.1 400 .*\r\n\r\n\{"error":\{"code":"ERR_BAD_REQUEST"/s)
  })

  it('hides a fault of its own behind one line', async () => {
    control.peer.members = () => {
      throw new TypeError('the secret detail')
    }
    const answer = await call(control.place, '/v1/members')
    refused(answer, 500, 'ERR_INTERNAL')
    assert.doesNotMatch(answer.body, /secret detail/)
  })

  it('gives figures to Prometheus', async () => {
    control.tally.changed('suspect', view(ids[1], 'm1', { status: 'suspect' }))
    control.tally.changed('alive', view(ids[1], 'm1'))
    const { body, headers } = await call(control.place, '/metrics')
    assert.match(headers['content-type'] ?? '', /^text\/plain/)
    for (const line of [
      'p2pd_members{status="alive"} 2',
      'p2pd_members{status="dead"} 1',
      'p2pd_members{status="stalled"} 0',
      'p2pd_false_deaths_total 0',
      'p2pd_members_stalled_total 0',
      'p2pd_members_dismissed_total 0',
      'p2pd_members_reaped_total 0',
      'p2pd_name_conflicts 0',
      'p2pd_tombstones 6',
      'p2pd_syncs_total 8',
      'p2pd_strangers_refused_total 3',
      'p2pd_frames_received_total 42',
      'p2pd_dials_total{outcome="connected"} 3',
      'p2pd_suspicions_total 1',
      'p2pd_false_suspicions_total 1',
      'p2pd_frames_dropped_total{reason="malformed"} 0',
      'p2pd_round_trip_seconds_count 1',
      'p2pd_group_members{group="all"} 1',
      'p2pd_group_ready{group="all"} 1',
      'p2pd_group_held_back{group="all"} 1',
      'p2pd_group_log_messages{group="all"} 0',
      'p2pd_group_log_bytes{group="all"} 0',
      'p2pd_group_delivered_total{group="all"} 0',
      'p2pd_group_readers 0',
      'p2pd_gossip_messages_total{outcome="reject"} 0',
      'p2pd_gossip_reopened_total 0',
      'p2pd_gossip_resets_total 0',
      'p2pd_forks 0',
      'p2pd_messages_published_total 4',
      'p2pd_messages_delivered_total 9',
      'p2pd_envelopes_refused_total{reason="bad-signature"} 3',
      'p2pd_pulls_total 2',
      'p2pd_envelopes_served_total 1',
      `p2pd_build_info{version="9.9.9",node="${process.version}"} 1`,
    ]) {
      assert.ok(body.includes(`\n${line}\n`), `${line} is missing in ${body}`)
    }
    assert.match(body, /process_resident_memory_bytes \d+/)
    assert.match(body, /nodejs_eventloop_lag_seconds /)
  })

  it('describes every route in OpenAPI, with references that resolve', async () => {
    const { body } = await call(control.place, '/v1/openapi.json')
    const document = JSON.parse(body)
    assert.equal(document.openapi, '3.1.0')
    for (const { method, path } of Object.values(routes)) {
      const described = document.paths[path.replace(':group', '{group}')]
      assert.ok(described[method.toLowerCase()], `${method} ${path}`)
    }
    const { parameters } = document.paths['/v1/groups/{group}/messages'].get
    assert.deepEqual(
      parameters.map((parameter: { name: string; in: string; required: boolean }) => [
        parameter.name,
        parameter.in,
        parameter.required,
      ]),
      [
        ['group', 'path', true],
        ['from', 'query', false],
        ['order', 'query', false],
        ['vector', 'query', false],
        ['Last-Event-ID', 'header', false],
      ],
    )
    const references = [...body.matchAll(/"\$ref":"#\/components\/schemas\/(\w+)"/g)].map(
      (match) => match[1] ?? '',
    )
    assert.ok(references.includes('MemberRow'))
    for (const name of references) assert.ok(document.components.schemas[name], name)
    assert.deepEqual(
      document.paths['/v1/ping'].post.requestBody.content['application/json'].schema.required,
      ['peer'],
    )
  })
})

describe('the control API of a daemon that does not serve', () => {
  afterEach(removeTempDirs)

  it('is healthy but not ready while it starts and while it stops', async () => {
    const { plane, peer, place } = await openControl({ serve: false })
    const codes = async () =>
      await Promise.all(
        ['/readyz', '/v1/status', '/v1/members/events'].map(async (path) => {
          const { status, body } = await call(place, path)
          return [status, JSON.parse(body).error.code]
        }),
      )
    assert.deepEqual(await codes(), Array(3).fill([503, 'ERR_NOT_READY']))
    assert.equal((await call(place, '/healthz')).status, 200)
    plane.serve(peer)
    assert.equal((await call(place, '/readyz')).status, 200)
    plane.stopping()
    assert.deepEqual(await codes(), Array(3).fill([503, 'ERR_STOPPING']))
    assert.match((await call(place, '/metrics')).body, /p2pd_ready 0/)
    await plane.close()
  })
})
