import { compileGlob } from './glob.ts';

/** Says whether a path (relative to the rules' own folder) is ignored; undefined where no rule speaks of it. */
export type IgnoreRules = (path: string, isFolder: boolean) => boolean | undefined;

interface Rule {
  isNegated: boolean;
  foldersOnly: boolean;
  matches(path: string): boolean;
}

const RULES = 1000;

/** What Flux leaves out of every source (flux.md §1.1, default exclusions). */
export const fluxDefaultIgnores = `
.git/
.gitignore
.gitmodules
.gitattributes
*.jpg
*.jpeg
*.gif
*.png
*.wmv
*.flv
*.tar.gz
*.zip
.github/
.circleci/
.travis.yml
.gitlab-ci.yml
appveyor.yml
.drone.yml
cloudbuild.yaml
codeship-services.yml
codeship-steps.yml
**/.goreleaser.yml
**/.sops.yaml
**/.flux.yaml
`;

/** Rules in gitignore's syntax: the last that matches decides. */
export function parseGitIgnore(text: string): IgnoreRules {
  const rules = lines(text).map((line) => gitRule(line));
  return (path, isFolder) => {
    const last = rules.findLast((rule) => (isFolder || !rule.foldersOnly) && rule.matches(path));
    return last === undefined ? undefined : !last.isNegated;
  };
}

/**
 * Rules in `.helmignore`'s syntax. Helm's negation has a meaning of its own; where a file uses it, nothing is ignored
 * here, and Helm, which gets the file too, decides alone.
 */
export function parseHelmIgnore(text: string): IgnoreRules {
  const patterns = lines(text);
  if (patterns.some((line) => line.startsWith('!') || line.includes('**'))) return () => undefined;
  const rules = patterns.map((line) => gitRule(line));
  return (path, isFolder) =>
    rules.some((rule) => (isFolder || !rule.foldersOnly) && rule.matches(path)) ? true : undefined;
}

function lines(text: string): string[] {
  return text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'))
    .slice(0, RULES);
}

function gitRule(line: string): Rule {
  const isNegated = line.startsWith('!');
  const bare = isNegated ? line.slice(1) : line;
  const foldersOnly = bare.endsWith('/');
  const pattern = foldersOnly ? bare.slice(0, -1) : bare;
  // A slash at the beginning or in the middle ties the pattern to the rules' folder.
  const anchored = pattern.includes('/') ? pattern.replace(/^\//, '') : `**/${pattern}`;
  return { isNegated, foldersOnly, matches: compileGlob(anchored, { separator: true, braces: false }) };
}
