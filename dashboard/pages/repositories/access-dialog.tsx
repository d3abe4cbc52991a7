import { useState } from 'react';
import type { RepositoryView } from '#shared/messages/api.ts';
import { useApi } from '../../api/live.tsx';
import { keys } from '../../api/queries.ts';
import type { AddedRepository } from '../../api/types.ts';
import { Command } from '../../ui/copy.tsx';
import { Dialog } from '../../ui/dialog.tsx';
import { shortRepository } from '../../ui/format.ts';
import { useDialogChange } from '../use-dialog-change.ts';
import { bodyOf, emptyForm, waysFor, whyNotSend, type AccessForm, type Way } from './credentials.ts';
import { WebhookStep } from './webhook-step.tsx';

const ways: Record<Way, readonly [title: string, text: string]> = {
  none: ['Nothing', 'It is public, or credentials for all repositories below its address are stored already.'],
  basic: ['User name and password or token', 'Over https; most hosts want a token as the password.'],
  bearer: ['Bearer token', 'Over https, as a header.'],
  ssh: ['SSH key', 'A deploy key; the host keys of the large hosts are known.'],
};

/** Registers a repository, then shows where its webhook must point. */
export function AddRepositoryDialog({ onClose }: { onClose: () => void }) {
  const api = useApi();
  const [form, setForm] = useState(emptyForm);
  const [added, setAdded] = useState<AddedRepository | undefined>(undefined);
  const change = useDialogChange({
    key: keys.repositories,
    run: () => api.addRepository(bodyOf(form)),
    missed: `${shortRepository(form.url)} is registered. Rotate webhook secret… in its menu shows a secret for its webhook.`,
    onDone: setAdded,
  });
  if (added !== undefined)
    return (
      <Dialog title={`${added.repository.id} is registered`} onClose={onClose} wide keep>
        <WebhookStep added={added} />
      </Dialog>
    );
  const fits = waysFor(form.url.trim(), ['none', 'basic', 'bearer', 'ssh']);
  return (
    <Dialog
      title="Add a repository"
      onClose={onClose}
      busy={change.isPending}
      error={change.error}
      confirm={{
        label: 'Add the repository',
        reason: whyNotSend(form, fits),
        run: () => change.mutate(undefined),
      }}
    >
      <label className="field">
        <span>Address: https://…, git@host:path or ssh://…</span>
        <input
          value={form.url}
          spellCheck={false}
          autoComplete="off"
          onChange={(event) => setForm({ ...form, url: event.target.value })}
        />
      </label>
      <Access form={form} fits={fits} onChange={setForm} />
      <OtherWays url={form.url.trim()} />
    </Dialog>
  );
}

/** Stores other credentials for a repository that is known; what was stored goes. */
export function CredentialsDialog({ repository, onClose }: { repository: RepositoryView; onClose: () => void }) {
  const api = useApi();
  const fits = waysFor(repository.url, ['basic', 'bearer', 'ssh']);
  const [form, setForm] = useState<AccessForm>({ ...emptyForm, url: repository.url, way: fits[0] ?? 'basic' });
  const change = useDialogChange({
    key: keys.repositories,
    run: () => api.addRepository(bodyOf(form)),
    said: `Credentials stored; ${shortRepository(repository.url)} is read with them now`,
    onDone: onClose,
  });
  return (
    <Dialog
      title={`Credentials of ${shortRepository(repository.url)}`}
      onClose={onClose}
      busy={change.isPending}
      error={change.error}
      confirm={{ label: 'Store', reason: whyNotSend(form, fits), run: () => change.mutate(undefined) }}
    >
      <p>
        They take the place of what is stored for this repository, certificate authorities included. Its webhook stays.
      </p>
      <Access form={form} fits={fits} onChange={setForm} />
      <OtherWays url={repository.url} />
    </Dialog>
  );
}

function Access({
  form,
  fits,
  onChange,
}: {
  form: AccessForm;
  fits: readonly Way[];
  onChange: (form: AccessForm) => void;
}) {
  const { way } = form;
  return (
    <>
      <fieldset className="options">
        <legend>What it is read with</legend>
        {fits.map((value) => (
          <label key={value} className="option">
            <input
              type="radio"
              name="way"
              checked={way === value}
              onChange={() => onChange({ ...form, way: value, secret: '' })}
            />
            <span>
              {ways[value][0]}
              <small>{ways[value][1]}</small>
            </span>
          </label>
        ))}
      </fieldset>
      {way === 'basic' ? (
        <label className="field">
          <span>User name, where the host asks for one</span>
          <input
            value={form.username}
            spellCheck={false}
            autoComplete="off"
            onChange={(event) => onChange({ ...form, username: event.target.value })}
          />
        </label>
      ) : null}
      {way === 'ssh' ? (
        <Pem
          label="Private key"
          text={form.privateKey}
          placeholder="-----BEGIN OPENSSH PRIVATE KEY-----"
          onChange={(privateKey) => onChange({ ...form, privateKey })}
        />
      ) : null}
      {way === 'none' ? null : (
        <label className="field">
          <span>{way === 'ssh' ? 'Passphrase of the key, where it has one' : 'Password or token'}</span>
          <input
            type="password"
            value={form.secret}
            autoComplete="new-password"
            onChange={(event) => onChange({ ...form, secret: event.target.value })}
          />
        </label>
      )}
      {way === 'ssh' ? null : (
        <Pem
          label="Certificate authorities of the host, where they are private"
          text={form.ca}
          placeholder="-----BEGIN CERTIFICATE-----"
          onChange={(ca) => onChange({ ...form, ca })}
        />
      )}
    </>
  );
}

function Pem({
  label,
  text,
  placeholder,
  onChange,
}: {
  label: string;
  text: string;
  placeholder: string;
  onChange: (text: string) => void;
}) {
  return (
    <label className="field">
      <span>{label}</span>
      <textarea
        rows={3}
        value={text}
        placeholder={placeholder}
        spellCheck={false}
        autoComplete="off"
        onChange={(event) => onChange(event.target.value)}
      />
    </label>
  );
}

/** What the page has no form for. */
function OtherWays({ url }: { url: string }) {
  return (
    <>
      <p className="hint">With a GitHub App, an IAM role for CodeCommit, or host keys of your own:</p>
      <Command text={`hawser repo add ${/^[\w.:@/~-]+$/.test(url) ? url : 'URL'} --help`} />
    </>
  );
}
