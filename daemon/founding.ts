/** Reads what the data directory holds of a cluster, and makes a plan's files. */
import { stat } from 'node:fs/promises'
import { type Asked, type ClusterPlan, type Found, planCluster } from './cluster-plan.ts'
import { makeClusterSecret, readClusterSecret, writeClusterSecret } from './cluster-secret.ts'
import type { DataDir } from './data-dir.ts'
import { readCluster, type SavedCluster, writeCluster } from './saved-state.ts'

export interface Cluster {
  readonly type: ClusterPlan['type']
  readonly saved: SavedCluster
  readonly secret: Uint8Array
}

/** Reads only, so that what cannot be done fails before the directory is touched. */
export async function planFor(dir: DataDir, asked: Asked): Promise<ClusterPlan> {
  return planCluster(await readFound(dir), asked)
}

/**
 * The secret is written last and makes the cluster: whatever happens before it,
 * the next start finds a directory without one and begins again.
 */
export async function settleCluster(dir: DataDir, asked: Asked): Promise<Cluster> {
  const found = await readFound(dir)
  const plan = planCluster(found, asked)
  switch (plan.type) {
    case 'resume':
      if (found.saved === undefined) await writeCluster(dir.cluster, plan.saved)
      return plan
    case 'join':
      await writeCluster(dir.cluster, plan.saved)
      await writeClusterSecret(dir.secret, plan.secret)
      return plan
    case 'found': {
      const secret = makeClusterSecret()
      await writeCluster(dir.cluster, plan.saved)
      await writeClusterSecret(dir.secret, secret)
      return { ...plan, secret }
    }
  }
}

async function readFound(dir: DataDir): Promise<Found> {
  return {
    saved: await readCluster(dir.cluster),
    secret: await readClusterSecret(dir.secret),
    hasStore: await stat(dir.store).then(
      () => true,
      () => false,
    ),
  }
}
