/** Of a cluster and of a peer: what can stand in a file name, a label and a terminal. */
export const namePattern = /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/
