import { chmod, mkdir } from 'node:fs/promises';
import type { KubeClient } from './kube-client.ts';

/** Where the controller manager's host-path provisioner puts volumes; the path is fixed in its source. */
const volumeFolder = '/tmp/hostpath_pv';

/** Creates the nodes and the default storage class; what exists already stays as it is. */
export async function createClusterObjects(client: KubeClient, nodes: number): Promise<void> {
  const names = Array.from({ length: nodes }, (_, index) => `sandbox-${index + 1}`);
  await Promise.all([
    ...names.map((name, index) => client.create('/api/v1/nodes', nodeObject(name, index))),
    client.create('/apis/storage.k8s.io/v1/storageclasses', storageClass()),
    shareVolumeFolder(),
  ]);
}

/** A ready node with room for thousands of pods, in one of three zones. */
export function nodeObject(name: string, index: number, now: string = new Date().toISOString()): object {
  const capacity = { cpu: '256', memory: '1Ti', 'ephemeral-storage': '10Ti', pods: '10000' };
  const healthy = (type: string, status: string, reason: string) => ({
    type,
    status,
    reason,
    lastHeartbeatTime: now,
    lastTransitionTime: now,
  });
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: {
      name,
      labels: {
        'kubernetes.io/hostname': name,
        'kubernetes.io/os': 'linux',
        'kubernetes.io/arch': 'amd64',
        'topology.kubernetes.io/region': 'sandbox',
        'topology.kubernetes.io/zone': `sandbox-${'abc'[index % 3]}`,
        type: 'kwok',
      },
      annotations: { 'kwok.x-k8s.io/node': 'fake' },
    },
    status: {
      phase: 'Running',
      capacity,
      allocatable: capacity,
      addresses: [
        { type: 'InternalIP', address: `10.0.0.${(index % 250) + 1}` },
        { type: 'Hostname', address: name },
      ],
      conditions: [
        healthy('Ready', 'True', 'KubeletReady'),
        healthy('MemoryPressure', 'False', 'KubeletHasSufficientMemory'),
        healthy('DiskPressure', 'False', 'KubeletHasNoDiskPressure'),
        healthy('PIDPressure', 'False', 'KubeletHasSufficientPID'),
        healthy('NetworkUnavailable', 'False', 'RouteCreated'),
      ],
      nodeInfo: {
        architecture: 'amd64',
        bootID: '',
        containerRuntimeVersion: 'kwok',
        kernelVersion: 'kwok',
        kubeProxyVersion: '',
        kubeletVersion: 'kwok',
        machineID: '',
        operatingSystem: 'linux',
        osImage: 'kwok',
        systemUUID: '',
      },
    },
  };
}

function storageClass(): object {
  return {
    apiVersion: 'storage.k8s.io/v1',
    kind: 'StorageClass',
    metadata: { name: 'standard', annotations: { 'storageclass.kubernetes.io/is-default-class': 'true' } },
    provisioner: 'kubernetes.io/host-path',
    reclaimPolicy: 'Delete',
    volumeBindingMode: 'Immediate',
  };
}

/** Created here and open to all, as /tmp is, so that the first user's sandbox does not lock out the next user's. */
async function shareVolumeFolder(): Promise<void> {
  try {
    await mkdir(volumeFolder);
    await chmod(volumeFolder, 0o1777);
  } catch {
    // It is there already, or cannot be: the controller manager says so on the claim.
  }
}
