import { useQueryClient } from '@tanstack/react-query';
import type { ClusterInstall } from '#shared/messages/api.ts';
import { keys } from '../../api/queries.ts';
import type { ClusterItems } from '../../api/types.ts';

/** Puts what an answer says of its cluster in place of what was read before: that may say that the agent has come. */
export function usePutCluster(): (result: ClusterInstall) => void {
  const client = useQueryClient();
  return ({ cluster }) => {
    client.setQueryData<ClusterItems>(keys.clusters, (data) => ({
      items: [...(data?.items ?? []).filter((item) => item.id !== cluster.id), cluster].toSorted((a, b) =>
        a.id < b.id ? -1 : 1,
      ),
    }));
  };
}
