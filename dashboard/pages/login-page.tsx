import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { ApiError, problemOf } from '../api/client.ts';
import { useApi } from '../api/live.tsx';
import { keys } from '../api/queries.ts';
import { Button } from '../ui/button.tsx';
import { Command } from '../ui/copy.tsx';
import { ProblemText } from '../ui/problem.tsx';
import { Logo } from './logo.tsx';

/** Asks for a token. `firstError` is what a token from the address failed with. */
export function LoginPage({ firstError }: { firstError: unknown }) {
  const api = useApi();
  const client = useQueryClient();
  const [token, setToken] = useState('');
  const login = useMutation({
    mutationFn: (text: string) => api.login(text),
    onSuccess: () => client.resetQueries({ queryKey: keys.session }),
  });
  const error = login.error ?? firstError;
  return (
    <main className="centre">
      <form
        className="login"
        onSubmit={(event) => {
          event.preventDefault();
          if (token.trim() !== '') login.mutate(token.trim());
        }}
      >
        <h1>
          <Logo /> Log in to Hawser
        </h1>
        <label className="field">
          <span>Token</span>
          <input
            type="password"
            name="token"
            autoComplete="current-password"
            spellCheck={false}
            autoFocus
            value={token}
            onChange={(event) => setToken(event.target.value)}
          />
        </label>
        {error === undefined || error === null ? null : (
          <div className="dialog-error" role="alert">
            {error instanceof ApiError && error.status === 401 ? (
              <>
                <strong>This token is not accepted</strong>
                <p>{problemOf(error).detail}</p>
                <p className="hint">{problemOf(error).hint ?? 'It may have expired, or belong to another service.'}</p>
              </>
            ) : (
              <ProblemText problem={problemOf(error)} />
            )}
          </div>
        )}
        <Button
          type="submit"
          kind="primary"
          busy={login.isPending}
          reason={token.trim() === '' ? 'Paste a token first' : undefined}
        >
          Log in
        </Button>
        <p className="hint">
          <code>npm start</code> prints an address that holds the token. Where the command line is logged in already,
          its token is in the login file:
        </p>
        <Command text="hawser login --help" />
      </form>
    </main>
  );
}
