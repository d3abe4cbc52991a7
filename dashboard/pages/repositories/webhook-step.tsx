import { useEffect, useRef, useState } from 'react';
import type { AddedRepository } from '../../api/types.ts';
import { CopyButton } from '../../ui/copy.tsx';
import { likelyHost } from './credentials.ts';

/** Where the webhook of a new repository must point, and the secret that signs it. */
export function WebhookStep({ added }: { added: AddedRepository }) {
  const hosts = Object.keys(added.webhookUrls);
  const [host, setHost] = useState(() => likelyHost(added.repository.url, hosts));
  const start = useRef<HTMLParagraphElement>(null);
  // The button that led here is gone.
  useEffect(() => start.current?.focus(), []);
  return (
    <>
      <p ref={start} tabIndex={-1}>
        It is polled in any case. To have pushes announced at once, add a webhook for push events at your Git host, with
        the content type application/json.
      </p>
      <label className="field">
        <span>Kind of Git host</span>
        <select value={host} onChange={(event) => setHost(event.target.value)}>
          {hosts.map((name) => (
            <option key={name} value={name}>
              {name}
            </option>
          ))}
        </select>
      </label>
      <Value label="Webhook address" text={added.webhookUrls[host] ?? ''} />
      <Value label="Webhook secret" text={added.webhookSecret} />
      <p className="hint">The page shows the secret only now; Rotate webhook secret… makes another.</p>
    </>
  );
}

/** A text to be taken elsewhere. */
export function Value({ label, text }: { label: string; text: string }) {
  return (
    <div className="value">
      <span className="muted">{label}</span>
      <div>
        <code>{text}</code>
        <CopyButton text={text} label={`Copy the ${label.toLowerCase()}`} />
      </div>
    </div>
  );
}
