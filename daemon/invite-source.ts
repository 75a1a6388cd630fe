/** Reads the invite that `--invite FILE|-` names, never more than its limit. */
import { open } from 'node:fs/promises'
import { P2pdError } from '../lib/wire/errors.ts'
import { isDialAddress } from './address.ts'
import { systemCode } from './files.ts'
import { decodeInvite, type Invite, inviteLimits } from './invite.ts'
import { namePattern } from './names.ts'

export interface InviteSource {
  readonly invite: Invite
  /** What the reader of stderr should know about the file. */
  readonly warning: string | undefined
}

export async function readInvite(source: string, stdin: AsyncIterable<unknown>): Promise<InviteSource> {
  if (source === '-') return { invite: usable(decodeInvite(await readLimited(stdin))), warning: undefined }
  const file = await open(source, 'r').catch((error: unknown) => {
    throw new P2pdError(
      'ERR_INVITE_FILE',
      `cannot read the invite ${source}: ${systemCode(error) ?? 'failed'}`,
      {
        hint: "give the path of a file that 'p2pd invite' wrote, or - for standard input",
        cause: error,
      },
    )
  })
  try {
    const found = await file.stat()
    if (found.isDirectory()) throw new P2pdError('ERR_INVITE_FILE', `${source} is a directory, not an invite`)
    const loose = found.isFile() && (found.mode & 0o077) !== 0
    const invite = usable(decodeInvite(await readLimited(file.createReadStream({ autoClose: false }))))
    return {
      invite,
      warning: loose
        ? `${source} can be read by other users and holds the cluster secret: chmod 600 it, or remove it`
        : undefined,
    }
  } finally {
    await file.close()
  }
}

/** What no daemon of ours would have put in is kept out of the data directory. */
function usable(invite: Invite): Invite {
  if (namePattern.test(invite.cluster) && invite.addresses.every(isDialAddress)) return invite
  throw new P2pdError('ERR_INVITE_TORN', 'this invite names a cluster or addresses that cannot be', {
    hint: "make a new one with 'p2pd invite'",
  })
}

async function readLimited(chunks: AsyncIterable<unknown>): Promise<string> {
  const parts: Buffer[] = []
  let bytes = 0
  for await (const chunk of chunks) {
    const part = Buffer.from(chunk as Uint8Array | string)
    bytes += part.byteLength
    if (bytes > inviteLimits.bytes) {
      throw new P2pdError(
        'ERR_INVITE_TORN',
        `this is not an invite: it exceeds ${inviteLimits.bytes} bytes`,
        {
          hint: "make a new one with 'p2pd invite' and copy the whole line",
        },
      )
    }
    parts.push(part)
  }
  return Buffer.concat(parts).toString()
}
