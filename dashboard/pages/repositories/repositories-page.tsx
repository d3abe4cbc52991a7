import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import type { RepositoryView } from '#shared/messages/api.ts';
import { useApi } from '../../api/live.tsx';
import { repositoriesQuery } from '../../api/queries.ts';
import { Button } from '../../ui/button.tsx';
import { Command } from '../../ui/copy.tsx';
import { Empty } from '../../ui/empty.tsx';
import { QueryView } from '../../ui/query-view.tsx';
import { SkeletonRows } from '../../ui/skeleton.tsx';
import { useTitle } from '../../ui/use-title.ts';
import { useSession } from '../session.ts';
import { whyNotAdminister } from '../why-not.ts';
import { AddRepositoryDialog, CredentialsDialog } from './access-dialog.tsx';
import { RepositoriesTable, type RepositoryChange } from './repositories-table.tsx';
import { RemoveRepositoryDialog, RotateDialog } from './repository-dialogs.tsx';

type Open = { what: 'add' } | { what: RepositoryChange; repository: RepositoryView };

/** Every repository that applications read, whether it can be reached, and what can be done about it. */
export function RepositoriesPage() {
  useTitle('Repositories');
  const query = useQuery(repositoriesQuery(useApi()));
  const [open, setOpen] = useState<Open | undefined>(undefined);
  const reason = whyNotAdminister(useSession());
  const add = (
    <Button kind="primary" reason={reason} onClick={() => setOpen({ what: 'add' })}>
      Add repository…
    </Button>
  );
  return (
    <main className="page">
      <div className="page-head">
        <h1>Repositories</h1>
        {query.data?.items.length === 0 ? null : add}
      </div>
      <QueryView query={query} loading={<SkeletonRows label="Loading repositories" />}>
        {({ items }) =>
          items.length === 0 ? (
            <Empty title="No repository is known yet">
              <p>A repository is known as soon as an application reads it; a private one needs credentials first.</p>
              {add}
              <p>From a shell:</p>
              <Command text="hawser repo add https://github.com/example/deploy.git" />
            </Empty>
          ) : (
            <>
              <RepositoriesTable
                repositories={items}
                reason={reason}
                onChange={(what, repository) => setOpen({ what, repository })}
              />
              <div className="page-foot">
                <span>Credentials for all repositories below an address:</span>
                <Command text="hawser repo list --templates" />
              </div>
            </>
          )
        }
      </QueryView>
      {open === undefined ? null : <OpenDialog open={open} onClose={() => setOpen(undefined)} />}
    </main>
  );
}

function OpenDialog({ open, onClose }: { open: Open; onClose: () => void }) {
  switch (open.what) {
    case 'add':
      return <AddRepositoryDialog onClose={onClose} />;
    case 'credentials':
      return <CredentialsDialog repository={open.repository} onClose={onClose} />;
    case 'rotate':
      return <RotateDialog repository={open.repository} onClose={onClose} />;
    case 'remove':
      return <RemoveRepositoryDialog repository={open.repository} onClose={onClose} />;
  }
}
