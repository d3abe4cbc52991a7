import { useQuery, useQueryClient } from '@tanstack/react-query';
import type { ReactNode } from 'react';
import { useEffect, useState } from 'react';
import { ApiError } from '../api/client.ts';
import { useApi } from '../api/live.tsx';
import { sessionQuery } from '../api/queries.ts';
import { ErrorPanel } from '../ui/problem.tsx';
import { LoginPage } from './login-page.tsx';
import { SessionContext } from './session.ts';

/** Shows the login page until there is a session; a token from the address is tried first. */
export function SessionGate({ token, children }: { token: string | undefined; children: ReactNode }) {
  const login = useTokenLogin(token);
  if (login.pending) return <Splash />;
  return <KnownSession loginError={login.error}>{children}</KnownSession>;
}

function KnownSession({ loginError, children }: { loginError: unknown; children: ReactNode }) {
  const api = useApi();
  const query = useQuery(sessionQuery(api));
  if (query.error instanceof ApiError && query.error.status === 401) {
    return <LoginPage firstError={loginError} ended={query.data !== undefined} />;
  }
  if (query.data !== undefined) return <SessionContext value={query.data}>{children}</SessionContext>;
  if (query.error !== null) {
    return (
      <div className="centre">
        <ErrorPanel error={query.error} onRetry={() => void query.refetch()} />
      </div>
    );
  }
  return <Splash />;
}

function useTokenLogin(token: string | undefined): { pending: boolean; error: unknown } {
  const api = useApi();
  const client = useQueryClient();
  const [state, setState] = useState<{ pending: boolean; error: unknown }>({
    pending: token !== undefined,
    error: undefined,
  });
  useEffect(() => {
    if (token === undefined) return undefined;
    let gone = false;
    const done = (error: unknown) => {
      if (!gone) setState({ pending: false, error });
    };
    api.login(token).then(() => done(undefined), done);
    return () => {
      gone = true;
    };
  }, [api, client, token]);
  return state;
}

function Splash() {
  return <div className="centre" role="status" aria-label="Loading" />;
}
