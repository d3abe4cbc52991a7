/** Every address of the dashboard; views never write one themselves. */

export const applicationTabs = ['resources', 'diff', 'events', 'history', 'manifest'] as const;
export type ApplicationTab = (typeof applicationTabs)[number];

/** The list; `search` is a query without `?`. */
export function applicationsPath(search = ''): string {
  return search === '' ? '/applications' : `/applications?${search}`;
}

/** One application's page; `resources` is the tab that opens when none is named. */
export function applicationPath(
  id: string,
  tab: ApplicationTab = 'resources',
  search: Record<string, string> = {},
): string {
  const base = `/applications/${encodeURIComponent(id)}`;
  const query = new URLSearchParams(search).toString();
  return `${tab === 'resources' ? base : `${base}/${tab}`}${query === '' ? '' : `?${query}`}`;
}

export function clustersPath(): string {
  return '/clusters';
}

export function repositoriesPath(): string {
  return '/repositories';
}

/** True for the text of a tab in an address. */
export function isApplicationTab(text: string | undefined): text is ApplicationTab {
  return (applicationTabs as readonly string[]).includes(text ?? '');
}
