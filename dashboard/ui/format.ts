/** Text for people, as pure functions. */

const units: readonly [seconds: number, suffix: string][] = [
  [86_400 * 365, 'y'],
  [86_400, 'd'],
  [3600, 'h'],
  [60, 'm'],
  [1, 's'],
];

/** Age between an ISO 8601 time and `now` (ms), in its largest whole unit: `4m`, `3d`; `now` under 1 s or in the future. */
export function age(time: string, now: number): string {
  const seconds = Math.floor((now - Date.parse(time)) / 1000);
  if (Number.isNaN(seconds)) return '–';
  const unit = units.find(([size]) => seconds >= size);
  return unit === undefined ? 'now' : `${Math.floor(seconds / unit[0])}${unit[1]}`;
}

/** The same as a phrase: `4m ago`, `just now`. */
export function ago(time: string, now: number): string {
  const text = age(time, now);
  return text === 'now' ? 'just now' : text === '–' ? text : `${text} ago`;
}

/** How long something took: `0.8 s`, `12 s`, `3 m 20 s`; '–' where a time cannot be read. */
export function duration(from: string, to: string): string {
  const ms = Date.parse(to) - Date.parse(from);
  if (Number.isNaN(ms) || ms < 0) return '–';
  // What would round to 10.0 is written as 10.
  if (ms < 9950) return `${(ms / 1000).toFixed(1)} s`;
  const seconds = Math.round(ms / 1000);
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  return minutes < 60 ? `${minutes} m ${seconds % 60} s` : `${Math.floor(minutes / 60)} h ${minutes % 60} m`;
}

/** Local date and time to the second, with zone, for titles. */
export function fullTime(time: string): string {
  const date = new Date(time);
  if (Number.isNaN(date.getTime())) return time;
  return date.toLocaleString(undefined, { dateStyle: 'medium', timeStyle: 'long' });
}

/** A commit's short name: 7 digits; a chart version or a ref in full. */
export function shortRevision(revision: string): string {
  return /^[0-9a-f]{12,64}$/.test(revision) ? revision.slice(0, 7) : revision;
}

/** The first line of a commit message. */
export function subject(message: string): string {
  return message.split('\n', 1)[0]?.trim() ?? '';
}

/** Bytes in binary units: `84 MiB`. */
export function bytes(count: number): string {
  const names = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let value = count;
  let index = 0;
  while (value >= 1023.5 && index < names.length - 1) {
    value /= 1024;
    index += 1;
  }
  return `${value >= 9.95 || index === 0 ? Math.round(value) : value.toFixed(1)} ${names[index]}`;
}

const numbers = new Intl.NumberFormat('en-US');

/** `1,024`. */
export function count(value: number): string {
  return numbers.format(value);
}

/** `1 object`, `3 objects`. */
export function counted(value: number, noun: string, plural = `${noun}s`): string {
  return `${count(value)} ${value === 1 ? noun : plural}`;
}

/** A repository's address without scheme, user and `.git`, for narrow places. */
export function shortRepository(url: string): string {
  return url
    .replace(/^[a-z+]+:\/\//i, '')
    .replace(/^[^/]*@/, '')
    .replace(/\.git$/, '');
}

/** How people write an object: `Deployment shop/web`, `Namespace shop`. */
export function objectTitle(object: { kind: string; namespace: string; name: string }): string {
  return `${object.kind} ${object.namespace === '' ? '' : `${object.namespace}/`}${object.name}`;
}

/** The same from a key `group/kind/namespace/name`; the text itself where it is no key. */
export function keyTitle(key: string): string {
  const [, kind, namespace, ...name] = key.split('/');
  if (kind === undefined || namespace === undefined || name.length === 0) return key;
  return objectTitle({ kind, namespace, name: name.join('/') });
}

/** Where an application is applied; its namespace is empty where every object names its own. */
export interface Goal {
  cluster: string;
  destinationNamespace: string;
}

/** `eu-west-prod/shop`; the cluster alone where there is no namespace. */
export function destinationTitle({ cluster, destinationNamespace }: Goal): string {
  return destinationNamespace === '' ? cluster : `${cluster}/${destinationNamespace}`;
}
