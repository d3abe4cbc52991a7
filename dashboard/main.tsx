import { QueryCache, QueryClient, QueryClientProvider } from '@tanstack/react-query';
import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { ApiError, createApi, isTransient } from './api/client.ts';
import { ApiProvider } from './api/live.tsx';
import { keys } from './api/queries.ts';
import { takeToken } from './pages/fragment-token.ts';
import { Routes } from './routes.tsx';
import { HotkeysProvider } from './ui/use-hotkeys.tsx';
import { NowProvider } from './ui/time.tsx';
import { ToastProvider } from './ui/toast.tsx';

// Before anything else reads the address: the token leaves it at once.
const token = takeToken(window.location.hash);
if (token !== undefined) window.history.replaceState(null, '', window.location.pathname + window.location.search);

const client = new QueryClient({
  defaultOptions: {
    queries: {
      staleTime: 1000,
      retry: (failures, error) => failures < 2 && isTransient(error),
      retryDelay: (failures) => 400 * 2 ** failures,
    },
  },
  queryCache: new QueryCache({
    onError(error, query) {
      // The session has ended: asking for it again shows the login page.
      const isSession = query.queryKey[0] === keys.session[0];
      if (error instanceof ApiError && error.status === 401 && !isSession) {
        void client.invalidateQueries({ queryKey: keys.session });
      }
    },
  }),
});

const root = document.getElementById('root');
if (root === null) throw new Error('index.html has no #root');
createRoot(root).render(
  <StrictMode>
    <QueryClientProvider client={client}>
      <ApiProvider api={createApi({ fetch: window.fetch.bind(window) })}>
        <NowProvider>
          <HotkeysProvider>
            <ToastProvider>
              <Routes token={token} />
            </ToastProvider>
          </HotkeysProvider>
        </NowProvider>
      </ApiProvider>
    </QueryClientProvider>
  </StrictMode>,
);
