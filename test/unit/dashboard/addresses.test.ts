import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { takeToken } from '#dashboard/pages/fragment-token.ts';
import {
  facetOptions,
  facets,
  isFiltered,
  listSearch,
  parseListQuery,
  sortFields,
  toggleFacet,
  toggleSort,
  withoutFilters,
  type ListQuery,
} from '#dashboard/pages/applications/list-query.ts';
import { applicationPath, applicationsPath, applicationTabs, isApplicationTab } from '#dashboard/paths.ts';
import { commitHref, safeHref } from '#dashboard/ui/safe-href.ts';

const plain = parseListQuery(new URLSearchParams());
const values = fc.array(fc.string({ minLength: 1, maxLength: 8 }), { maxLength: 4 });
const queries: fc.Arbitrary<ListQuery> = fc.record({
  search: fc.string({ maxLength: 12 }),
  health: values,
  sync: values,
  cluster: values,
  project: values,
  kind: fc.string({ maxLength: 6 }),
  sort: fc.constantFrom(...sortFields),
  descending: fc.boolean(),
});

describe('the address of an application', () => {
  it('leads back to its id whatever the id holds, with every tab', () => {
    fc.assert(
      fc.property(
        fc.string({ minLength: 1 }).filter((id) => id.isWellFormed() && !/^\.\.?$/.test(id)),
        fc.constantFrom(...applicationTabs),
        (id, tab) => {
          const { pathname } = new URL(applicationPath(id, tab, { resource: id }), 'http://page');
          const [, area, encoded = '', part = 'resources', ...more] = pathname.split('/');
          expect([area, decodeURIComponent(encoded), part, more]).toEqual(['applications', id, tab, []]);
        },
      ),
    );
  });

  it('names its search only where there is one', () => {
    expect(applicationPath('a', 'diff', { resource: 'apps/Deployment/x/y' })).toBe(
      '/applications/a/diff?resource=apps%2FDeployment%2Fx%2Fy',
    );
    expect([applicationPath('a'), applicationsPath(), applicationsPath('health=Degraded')]).toEqual([
      '/applications/a',
      '/applications',
      '/applications?health=Degraded',
    ]);
  });

  it('takes no other tab for one of its own', () => {
    expect(['resources', 'manifest'].map(isApplicationTab)).toEqual([true, true]);
    expect([undefined, '', 'Resources', 'constructor', 'settings'].map(isApplicationTab)).toEqual(Array(5).fill(false));
  });
});

describe('the address of the list', () => {
  it('holds everything that was asked, in one form only', () => {
    fc.assert(
      fc.property(queries, (query) => {
        const search = listSearch(query);
        const read = parseListQuery(new URLSearchParams(search));
        expect(listSearch(read)).toBe(listSearch(parseListQuery(new URLSearchParams(listSearch(read)))));
        for (const facet of facets) expect(read[facet]).toEqual([...new Set(query[facet])].sort());
        expect([read.search, read.kind, read.sort, read.descending]).toEqual([
          query.search,
          query.kind,
          query.sort,
          query.descending,
        ]);
      }),
    );
  });

  it('is empty for the plain list and reads past what it does not know', () => {
    expect(listSearch(plain)).toBe('');
    const read = parseListQuery(new URLSearchParams('sort=-colour&health=&health=Degraded&health=Degraded&page=7'));
    expect(read).toEqual({ ...plain, health: ['Degraded'] });
  });

  it('does not depend on the order in which filters were chosen', () => {
    const one = toggleFacet(toggleFacet(plain, 'health', 'Missing'), 'health', 'Degraded');
    const other = toggleFacet(toggleFacet(plain, 'health', 'Degraded'), 'health', 'Missing');
    expect(listSearch(one)).toBe('health=Degraded&health=Missing');
    expect(listSearch(other)).toBe(listSearch(one));
    expect(toggleFacet(toggleFacet(one, 'health', 'Missing'), 'health', 'Degraded')).toEqual(plain);
  });

  it('keeps the order of the list when the filters go', () => {
    const query = { ...toggleFacet(toggleSort(plain, 'health'), 'project', 'shop'), search: 'x', kind: 'Application' };
    expect([isFiltered(query), isFiltered(withoutFilters(query))]).toEqual([true, false]);
    expect(listSearch(withoutFilters(query))).toBe('sort=health');
  });

  it('sorts newest first, then the other way round', () => {
    const newest = toggleSort(plain, 'updated');
    expect([
      listSearch(newest),
      listSearch(toggleSort(newest, 'updated')),
      listSearch(toggleSort(newest, 'name')),
    ]).toEqual(['sort=-updated', 'sort=updated', '']);
  });

  it('offers a chosen value even where nothing has it any more', () => {
    expect(facetOptions({ b: 2, Healthy: 3 }, ['gone'], ['Degraded', 'Healthy'])).toEqual([
      { value: 'Degraded', count: 0, chosen: false },
      { value: 'Healthy', count: 3, chosen: false },
      { value: 'b', count: 2, chosen: false },
      { value: 'gone', count: 0, chosen: true },
    ]);
  });
});

describe('the token of an address', () => {
  it.each([
    ['#token=abc', 'abc'],
    ['#a=1&token=%20abc%20', 'abc'],
    ['#token=', undefined],
    ['#tokens=abc', undefined],
    ['', undefined],
  ])('%s is %s', (hash, token) => {
    expect(takeToken(hash)).toBe(token);
  });
});

describe('links outside (NT-130, NT-131)', () => {
  it.each([
    'javascript:alert(1)',
    'java\nscript:alert(1)',
    ' https://example.com',
    'https://exa mple.com',
    'https://example.com/\tx',
    'https:\\\\example.com',
    '//example.com',
    'data:text/html,x',
    'https://github.com@evil.example/x',
    'https://user:secret@example.com/',
    'https://',
    'http',
  ])('%j stays text', (text) => {
    expect(safeHref(text)).toBeUndefined();
  });

  it('lead where they say', () => {
    expect(safeHref('https://example.com/a?b#c')).toBe('https://example.com/a?b#c');
    expect(safeHref('HTTP://example.com')).toBe('http://example.com/');
  });

  it('go to a commit on the hosts whose paths are known', () => {
    const sha = 'a'.repeat(40);
    expect(commitHref('https://github.com/o/r.git', sha)).toBe(`https://github.com/o/r/commit/${sha}`);
    expect(commitHref('https://gitlab.com/o/g/r/', sha)).toBe(`https://gitlab.com/o/g/r/-/commit/${sha}`);
    expect(commitHref('https://bitbucket.org/o/r', sha)).toBe(`https://bitbucket.org/o/r/commits/${sha}`);
    expect(commitHref('https://github.com.evil.example/o/r', sha)).toBeUndefined();
    expect(commitHref('https://github.com/o/r', '../../evil')).toBeUndefined();
    expect(commitHref('git@github.com:o/r.git', sha)).toBeUndefined();
  });
});
