import type { AwsAccess } from '../messages/agent-identity.ts';

/** Grants an agent direct access to its own cluster's rows and queues, for minutes. */
export interface AgentAccess {
  /** Organisation and cluster must be authenticated. `expiresAt`: ISO 8601. Throws `unavailable` where nobody can grant now. */
  grant(organisation: string, cluster: string): Promise<{ aws: AwsAccess; expiresAt: string }>;
}
