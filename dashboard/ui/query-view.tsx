import type { ReactNode } from 'react';
import { ErrorPanel, RefreshFailed } from './problem.tsx';

interface Read<T> {
  data: T | undefined;
  error: unknown;
  refetch: () => unknown;
}

/** A query's four states, the same in every view: loading, failed, old (a refresh failed), and read. */
export function QueryView<T>({
  query,
  loading,
  children,
}: {
  query: Read<T>;
  loading: ReactNode;
  children: (data: T) => ReactNode;
}) {
  const retry = () => void query.refetch();
  if (query.data === undefined) {
    return query.error === null ? loading : <ErrorPanel error={query.error} onRetry={retry} />;
  }
  return (
    <>
      {query.error === null ? null : <RefreshFailed error={query.error} onRetry={retry} />}
      {children(query.data)}
    </>
  );
}
