import type { Goal } from './format.ts';

/** Where an application is applied: the cluster, and its namespace where it has one of its own. */
export function Destination({ app }: { app: Goal }) {
  return (
    <>
      {app.cluster}
      {app.destinationNamespace === '' ? null : <span className="muted">/{app.destinationNamespace}</span>}
    </>
  );
}
