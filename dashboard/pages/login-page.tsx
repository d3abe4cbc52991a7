import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useId, useState } from 'react';
import { ApiError, problemOf } from '../api/client.ts';
import { useApi } from '../api/live.tsx';
import { forgetReads, keys } from '../api/queries.ts';
import { Button } from '../ui/button.tsx';
import { Command } from '../ui/copy.tsx';
import { ProblemText } from '../ui/problem.tsx';
import { Logo } from './logo.tsx';

/** Asks for a token. `firstError` is what a token from the address failed with; `ended` says that there was a session before. */
export function LoginPage({ firstError, ended }: { firstError: unknown; ended: boolean }) {
  const api = useApi();
  const client = useQueryClient();
  const [token, setToken] = useState('');
  const login = useMutation({
    mutationFn: (text: string) => api.login(text),
    onSuccess() {
      // Whoever logs in may be somebody else.
      forgetReads(client);
      return client.resetQueries({ queryKey: keys.session });
    },
  });
  const error = login.error ?? firstError;
  const failed = error !== undefined && error !== null;
  const errorId = useId();
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
        {ended && !failed ? <p role="status">The session has ended. Log in to go on where you were.</p> : null}
        <label className="field">
          <span>Token</span>
          <input
            type="password"
            name="token"
            autoComplete="current-password"
            spellCheck={false}
            autoFocus
            aria-invalid={failed}
            aria-describedby={failed ? errorId : undefined}
            value={token}
            onChange={(event) => setToken(event.target.value)}
          />
        </label>
        {failed ? (
          <div className="dialog-error" role="alert" id={errorId}>
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
        ) : null}
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
