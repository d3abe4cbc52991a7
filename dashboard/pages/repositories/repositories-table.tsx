import type { RepositoryView } from '#shared/messages/api.ts';
import { Button } from '../../ui/button.tsx';
import { CopyButton } from '../../ui/copy.tsx';
import { count, shortRepository, shortRevision } from '../../ui/format.ts';
import { Icon } from '../../ui/icons.tsx';
import { LongText } from '../../ui/long-text.tsx';
import { Popover } from '../../ui/popover.tsx';
import { SafeLink } from '../../ui/safe-link.tsx';
import { Time } from '../../ui/time.tsx';

export type RepositoryChange = 'credentials' | 'rotate' | 'remove';

interface Props {
  repositories: RepositoryView[];
  /** Why nothing can be changed. */
  reason: string | undefined;
  onChange: (what: RepositoryChange, repository: RepositoryView) => void;
}

export function RepositoriesTable({ repositories, reason, onChange }: Props) {
  return (
    <div className="scroller" data-keeps-arrows>
      <table className="table repositories">
        <thead>
          <tr>
            <th scope="col">Repository</th>
            <th scope="col">State</th>
            <th scope="col" className="wide-only">
              Last revision
            </th>
            <th scope="col" className="wide-only">
              Last read
            </th>
            <th scope="col" className="right">
              Applications
            </th>
            <th scope="col" className="wide-only">
              Credentials
            </th>
            <th scope="col" className="wide-only">
              Webhook path
            </th>
            <th scope="col">
              <span className="visually-hidden">Actions</span>
            </th>
          </tr>
        </thead>
        <tbody>
          {repositories.map((repository) => (
            <tr key={repository.id} data-id={repository.id}>
              <th scope="row" className="cut" title={repository.url}>
                <SafeLink href={repository.url}>{shortRepository(repository.url)}</SafeLink>
              </th>
              <td>
                <State repository={repository} />
              </td>
              <td className="mono wide-only">
                {repository.lastRevision === undefined ? '–' : shortRevision(repository.lastRevision)}
              </td>
              <td className="wide-only">
                <LastRead repository={repository} />
              </td>
              <td className="right num">{count(repository.applications)}</td>
              <td className="wide-only">
                {repository.hasCredentials ? 'stored' : <span className="muted">none</span>}
              </td>
              <td className="wide-only cut mono" title={repository.webhookPath}>
                <CopyButton
                  text={`${window.location.origin}${repository.webhookPath}`}
                  label="Copy the webhook address"
                />
                {repository.webhookPath}
              </td>
              <td className="right menu-cell">
                <Actions repository={repository} reason={reason} onChange={(what) => onChange(what, repository)} />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

/** Trouble with since when, and the whole message for whoever asks for it. */
/** A quiet repository is polled although nothing new is seen in it; a push is seen between two polls. */
function LastRead({ repository: { lastSeenAt = '', lastPolledAt = '' } }: { repository: RepositoryView }) {
  const last = lastPolledAt > lastSeenAt ? lastPolledAt : lastSeenAt;
  return last === '' ? <span className="muted">never</span> : <Time at={last} />;
}

function State({ repository }: { repository: RepositoryView }) {
  const { error, errorSince, lastSeenAt } = repository;
  if (error === undefined)
    return <span className="muted">{lastSeenAt === undefined ? 'not read yet' : 'reachable'}</span>;
  return (
    <div className="trouble">
      <Icon name="warning" />
      <LongText text={error} label={`Trouble with ${shortRepository(repository.url)}`} />
      {errorSince === undefined ? null : (
        <span className="muted since">
          since <Time at={errorSince} short />
        </span>
      )}
    </div>
  );
}

const changes: readonly (readonly [RepositoryChange, string])[] = [
  ['credentials', 'Change credentials…'],
  ['rotate', 'Rotate webhook secret…'],
  ['remove', 'Remove…'],
];

function Actions({
  repository,
  reason,
  onChange,
}: {
  repository: RepositoryView;
  reason: string | undefined;
  onChange: (what: RepositoryChange) => void;
}) {
  return (
    <Popover
      label={`Actions for ${shortRepository(repository.url)}`}
      className="button quiet"
      button={<Icon name="more" />}
    >
      {(close) => (
        <div className="menu">
          {changes.map(([what, text]) => (
            <Button
              key={what}
              kind="quiet"
              reason={reason}
              onClick={() => {
                close();
                onChange(what);
              }}
            >
              {text}
            </Button>
          ))}
        </div>
      )}
    </Popover>
  );
}
