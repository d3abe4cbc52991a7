import { z } from 'zod';
import { idPattern } from '../domain/ids.ts';
import { AgentReport } from './agent-report.ts';
import { Answer } from './cluster-command.ts';

/**
 * What an agent sends straight to the queue: a report or an answer, compressed. Organisation and cluster are a claim:
 * the receiver checks it against who the queue says the sender is (FT-106, NT-111).
 */
export const AgentMail = z.object({
  organisation: z.string().regex(idPattern),
  cluster: z.string().regex(idPattern),
  sentAt: z.string(),
  /** Base64 of gzip of the JSON text of a `MailContent`. */
  packed: z.string(),
});
export type AgentMail = z.infer<typeof AgentMail>;

export const MailContent = z.union([z.object({ report: AgentReport }), z.object({ answer: Answer })]);
export type MailContent = z.infer<typeof MailContent>;
