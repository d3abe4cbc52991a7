import { Link, useLocation } from 'wouter';
import type { ApplicationDetail } from '#shared/messages/api.ts';
import type { ApplicationTab } from '../../paths.ts';
import { applicationPath, applicationTabs } from '../../paths.ts';
import { count } from '../../ui/format.ts';
import { rove } from '../../ui/roving.ts';

/** What the chosen tab shows; one panel for all of them. */
export const tabPanelId = 'tab-panel';

export function tabId(tab: ApplicationTab): string {
  return `tab-${tab}`;
}

/** The application's tabs. They are links, so each has an address and opens beside; the arrows move and open them. */
export function Tabs({ app, tab }: { app: ApplicationDetail; tab: ApplicationTab }) {
  const [, navigate] = useLocation();
  const open = (index: number) => {
    const name = applicationTabs[index];
    // Going along the tabs is one visit, not five.
    if (name !== undefined) navigate(applicationPath(app.id, name), { replace: true });
  };
  return (
    <div
      className="tabs"
      role="tablist"
      aria-label="Application"
      // The tabs in it have the focus, never the list itself.
      tabIndex={-1}
      data-keeps-arrows
      onKeyDown={(event) => rove(event, applicationTabs.indexOf(tab), open)}
    >
      {applicationTabs.map((name) => (
        <Link
          key={name}
          id={tabId(name)}
          role="tab"
          href={applicationPath(app.id, name)}
          aria-selected={name === tab}
          aria-controls={tabPanelId}
          tabIndex={name === tab ? 0 : -1}
        >
          {titles[name]}
          <TabCount app={app} tab={name} />
        </Link>
      ))}
    </div>
  );
}

const titles: Record<ApplicationTab, string> = {
  resources: 'Resources',
  diff: 'Diff',
  events: 'Events',
  history: 'History',
  manifest: 'Manifest',
};

function TabCount({ app, tab }: { app: ApplicationDetail; tab: ApplicationTab }) {
  if (tab === 'resources') return <span className="tab-count num">{count(app.resources.length)}</span>;
  const open = app.drift.filter((drift) => drift.correctedAt === undefined).length;
  if (tab === 'diff' && open > 0) return <span className="tab-count num warn">{count(open)}</span>;
  return null;
}
