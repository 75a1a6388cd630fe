/** Limits on what comes from outside, checked before anything is allocated. */

/** Largest frame of a control protocol (membership, clocks): a full piggyback fits many times over. */
export const maxControlFrameBytes = 64 * 1024

/** Largest frame of a bulk protocol (payloads, history, reports about locks). */
export const maxBulkFrameBytes = 2 * 1024 * 1024

/** A length of at most 2 MiB needs four bytes of seven bits. */
export const maxFramePrefixBytes = 4

/** A textual peer id, see `PeerId`. */
export const maxPeerIdLength = 64

/** Addresses in a member record, and in one request to dial. */
export const maxAddresses = 16

/** Longest multiaddr taken from outside: the longest DNS name plus its protocol parts. */
export const maxAddressLength = 512

/** Groups that one member is in; heartbeats carry a digest of each. */
export const maxGroups = 256

export const maxGroupNameLength = 64

/** What people say of one member. */
export const maxTags = 32

export const maxTagKeyLength = 64

export const maxTagValueLength = 256

/** Entries of a vector clock in one frame; a longer vector goes in several. */
export const maxVectorEntriesPerFrame = 1024
