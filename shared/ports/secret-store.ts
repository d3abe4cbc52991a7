/** Secrets by name (`webhook/demo`, `repository/demo`): values never appear in messages, logs or rows. */
export interface SecretStore {
  get(name: string): Promise<{ value: string; version: string } | undefined>;
  put(name: string, value: string): Promise<void>;
  remove(name: string): Promise<void>;
}
