import { frameCodec } from '../../../plugins/mutex/core/codec.ts'
import { firstRecords } from '../../../plugins/mutex/core/electorate/founding.ts'
import { Mutex, stampKey } from '../../../plugins/mutex/core/mutex.ts'
import { decodeStamp } from '../../../plugins/mutex/core/records.ts'
import type { LockSubject } from './lock-host.ts'

/** What p2pd runs. */
export const realLocks: LockSubject = {
  core: (init) => new Mutex(init),
  codec: frameCodec,
  stampOf: (image) => {
    const bytes = image.get(stampKey)
    return bytes === undefined ? undefined : decodeStamp(bytes)
  },
  firstRecords: ({ random, ...init }, origin) =>
    firstRecords({ ...init, origin, nonce: hexadecimal(random) }),
}

function hexadecimal(random: () => number): string {
  return Array.from({ length: 32 }, () => Math.floor(random() * 16).toString(16)).join('')
}
