import { useQueryClient } from '@tanstack/react-query';
import type { ReactNode } from 'react';
import { useEffect, useRef, useState } from 'react';
import { Link, useLocation } from 'wouter';
import { useApi, useStreamState } from '../api/live.tsx';
import { forgetReads, keys } from '../api/queries.ts';
import { applicationsPath, clustersPath, repositoriesPath } from '../paths.ts';
import { Button } from '../ui/button.tsx';
import { Icon, Spinner } from '../ui/icons.tsx';
import { Popover } from '../ui/popover.tsx';
import { Segmented } from '../ui/segmented.tsx';
import type { Theme } from '../ui/theme.ts';
import { chooseTheme, readTheme } from '../ui/theme.ts';
import { useToasts } from '../ui/toast.tsx';
import { useHotkeys } from '../ui/use-hotkeys.tsx';
import { HelpDialog } from './help-dialog.tsx';
import { LastListContext } from './last-list.ts';
import { Logo } from './logo.tsx';
import { useSession } from './session.ts';

/** What is around every page: where one can go, how live the page is, who one is. */
export function Shell({ children }: { children: ReactNode }) {
  const [, navigate] = useLocation();
  const [help, setHelp] = useState(false);
  const lastList = useRef('');
  useHotkeys({
    'g a': () => navigate(applicationsPath(lastList.current)),
    'g c': () => navigate(clustersPath()),
    'g r': () => navigate(repositoriesPath()),
    '?': () => setHelp(true),
  });
  return (
    <LastListContext value={lastList}>
      <div className="shell">
        <header className="topbar">
          <Link href={applicationsPath()} className="home" aria-label="Hawser, all applications">
            <Logo />
            <span className="home-name">Hawser</span>
          </Link>
          <nav aria-label="Pages">
            <NavLink to={applicationsPath(lastList.current)} under="/applications" text="Applications" />
            <NavLink to={clustersPath()} under="/clusters" text="Clusters" />
            <NavLink to={repositoriesPath()} under="/repositories" text="Repositories" />
          </nav>
          <Connection />
          <UserMenu onHelp={() => setHelp(true)} />
        </header>
        {children}
      </div>
      {help ? <HelpDialog onClose={() => setHelp(false)} /> : null}
    </LastListContext>
  );
}

function NavLink({ to, under, text }: { to: string; under: string; text: string }) {
  const [location] = useLocation();
  const here = location === under || location.startsWith(`${under}/`);
  return (
    <Link href={to} aria-current={here ? 'page' : undefined}>
      {text}
    </Link>
  );
}

/** Quiet while live; says so when what is shown may be old. A first connection gets 2 s before anything is said. */
function Connection() {
  const state = useStreamState();
  const [late, setLate] = useState(false);
  useEffect(() => {
    setLate(false);
    if (state === 'live') return undefined;
    const timer = window.setTimeout(() => setLate(true), state === 'connecting' ? 2000 : 300);
    return () => window.clearTimeout(timer);
  }, [state]);
  if (state === 'live') {
    return (
      <span className="connection live" role="status" title="Changes appear as they happen">
        <span className="dot" />
        <span className="connection-word">Live</span>
      </span>
    );
  }
  return (
    <span className="connection" role="status" title="The live connection is lost; the page asks every 5 s meanwhile">
      {late ? (
        <>
          <Spinner />
          <span className="connection-word">Reconnecting</span>
        </>
      ) : null}
    </span>
  );
}

function UserMenu({ onHelp }: { onHelp: () => void }) {
  const session = useSession();
  const api = useApi();
  const client = useQueryClient();
  const toasts = useToasts();
  const [theme, setTheme] = useState<Theme>(readTheme);
  return (
    <Popover
      label="Account and settings"
      className="button quiet"
      button={
        <>
          <Icon name="user" />
          <span className="user-name">{session.user}</span>
        </>
      }
    >
      {(close) => (
        <div className="menu">
          <dl className="menu-facts">
            <dt>Organisation</dt>
            <dd>{session.organisation}</dd>
            <dt>User</dt>
            <dd>
              {session.user} ({session.role})
            </dd>
            <dt>Version</dt>
            <dd className="num">{session.version}</dd>
          </dl>
          <div className="menu-row">
            <span>Theme</span>
            <Segmented
              label="Theme"
              value={theme}
              options={[
                ['system', 'System'],
                ['light', 'Light'],
                ['dark', 'Dark'],
              ]}
              onChange={(next) => {
                chooseTheme(next);
                setTheme(next);
              }}
            />
          </div>
          <Button
            kind="quiet"
            onClick={() => {
              close();
              onHelp();
            }}
          >
            Keyboard shortcuts <kbd>?</kbd>
          </Button>
          <Button
            kind="quiet"
            onClick={() => {
              close();
              api
                .logout()
                // The login page first, so that nothing on this page asks again without a session.
                .then(() => client.resetQueries({ queryKey: keys.session }))
                .then(() => forgetReads(client))
                .catch(toasts.fail);
            }}
          >
            Log out
          </Button>
        </div>
      )}
    </Popover>
  );
}
