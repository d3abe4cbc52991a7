import { z } from 'zod';

/**
 * What `render` sends to `render-sandbox` and what that answers, in one synchronous invocation. Both payloads are JSON
 * of at most 6 MB (Lambda's limit), so what is large in them is compressed.
 */
export interface SandboxRequest {
  format: 1;
  /** Base64 of the gzipped JSON of a `SandboxBundle`. */
  bundle: string;
  /** Milliseconds for this job; the sandbox's own limit when absent or smaller. */
  wallClock?: number;
}

/** A render bundle as JSON (`Job` is the port's `RenderTool`): a file is text where it is UTF-8, which compresses best, else base64. */
export interface SandboxBundle<Job> {
  path: string;
  job: Job;
  files: { path: string; text?: string; base64?: string; executable?: true }[];
}

/** What the tool's own failures and limits may be called; anything else that a sandbox says is no answer. */
const codes = [
  'render-failed',
  'render-limit',
  'object-invalid',
  'path-not-found',
  'unsafe-path',
  'unsupported',
  'unavailable',
  'internal',
] as const;

/** What the sandbox goes without on its machine (kernel limits, say): for the log only. */
const notes = z.array(z.string().max(300)).max(10).default([]);

/** What was found outside the job's own folder and process group, and is gone: for the log only. */
const left = z.array(z.string().max(200)).max(20).default([]);

/**
 * The sandbox runs hostile charts, so what it answers is hostile input: every text has a bound. `count` and `sha256` are
 * the trailer of FT-31: an answer that was cut short does not pass for a smaller one.
 */
export const SandboxAnswer = z.discriminatedUnion('ok', [
  z.object({
    ok: z.literal(true),
    /** Base64 of the gzipped objects: canonical JSON, one a line, no line feed at the end. */
    output: z.string(),
    count: z.int().min(0),
    /** Hex, of the text before compression. */
    sha256: z.string().regex(/^[0-9a-f]{64}$/),
    warnings: z.array(z.string()),
    left,
    notes,
  }),
  z.object({
    ok: z.literal(false),
    code: z.enum(codes),
    message: z.string().min(1),
    data: z.record(z.string(), z.unknown()).default({}),
    hint: z.string().max(1000).optional(),
    left,
    notes,
  }),
]);
export type SandboxAnswer = z.infer<typeof SandboxAnswer>;
