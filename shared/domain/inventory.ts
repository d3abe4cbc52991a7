/** One object that an application owns in a cluster, as the prune rules look at it. */
export interface InventoryEntry {
  /** `keyOf` key. */
  key: string;
  /** API version it was last written in. */
  version: string;
  /** '' where only the intent to create it is recorded (INV-17). */
  uid: string;
  /** Hook objects are neither compared nor pruned. */
  hook?: boolean;
  /** Wave it was applied in; deletions go the other way. */
  wave?: number;
}
