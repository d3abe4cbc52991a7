import { Command } from '../../ui/copy.tsx';

/** An organisation without applications: what to run. */
export function FirstSteps() {
  return (
    <main className="page">
      <div className="first-steps">
        <h1>No applications yet</h1>
        <p>
          Hand in the objects that you have: Argo CD <code>Application</code>, <code>ApplicationSet</code> and{' '}
          <code>AppProject</code>, or Flux <code>GitRepository</code>, <code>Kustomization</code> and{' '}
          <code>HelmRelease</code>. They appear here as soon as they are registered.
        </p>
        <ol>
          <li>
            <span>Register a cluster; this prints how to install its agent</span>
            <Command text="hawser cluster add production" />
          </li>
          <li>
            <span>Hand in a file, a folder, or what another tool prints</span>
            <Command text="hawser apply -f applications/" />
          </li>
          <li>
            <span>Watch it being synced</span>
            <Command text="hawser get applications --watch" />
          </li>
        </ol>
      </div>
    </main>
  );
}
