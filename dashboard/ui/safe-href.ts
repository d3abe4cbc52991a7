/**
 * The address of an outside link, or undefined where `text` must stay text (NT-130, NT-131):
 * only what literally begins with http:// or https:// and holds no control character, blank or backslash;
 * browsers drop tabs and line breaks inside a scheme, so those are refused, not repaired.
 */
export function safeHref(text: string): string | undefined {
  if (!/^https?:\/\//i.test(text) || !/^[!-[\]-~\u00a1-\uffff]+$/.test(text)) return undefined;
  try {
    const url = new URL(text);
    if (url.protocol !== 'https:' && url.protocol !== 'http:') return undefined;
    // A user name before the host hides which host it is, and might be a credential.
    return url.username === '' && url.password === '' ? url.href : undefined;
  } catch {
    return undefined;
  }
}

/** Address of a commit on the hosts whose paths are known; undefined elsewhere. */
export function commitHref(repository: string, sha: string): string | undefined {
  const base = safeHref(repository);
  if (base === undefined || !/^[0-9a-f]{7,64}$/.test(sha)) return undefined;
  const url = new URL(base);
  const path = url.pathname.replace(/\/+$/, '').replace(/\.git$/, '');
  switch (url.hostname) {
    case 'github.com':
      return safeHref(`${url.origin}${path}/commit/${sha}`);
    case 'gitlab.com':
      return safeHref(`${url.origin}${path}/-/commit/${sha}`);
    case 'bitbucket.org':
      return safeHref(`${url.origin}${path}/commits/${sha}`);
    default:
      return undefined;
  }
}
