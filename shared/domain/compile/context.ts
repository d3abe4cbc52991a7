import type { z } from 'zod';
import type { Application } from '../application.ts';

/** What compiling needs to know beyond the object itself. */
export interface CompileContext {
  /** The cluster that Flux objects and `in-cluster` mean. */
  homeCluster: string;
  /** The organisation's default cluster. */
  defaultCluster: string;
  /** Finds the cluster id of an Argo CD destination; throws `invalid-input` for an unknown one. */
  resolveCluster(destination: { server?: string | undefined; name?: string | undefined }): string;
  parent?: string;
}

/** A compiled application; the caller fills in the repository ids from the sources' URLs. */
export interface Compiled {
  application: Application;
}

/** zod's issues as one sentence: every field with what is wrong. */
export function describeProblems(error: z.ZodError, where: string): string {
  return error.issues
    .slice(0, 10)
    .map((issue) => `${[where, ...issue.path].join('.')}: ${issue.message}`)
    .join('; ');
}
