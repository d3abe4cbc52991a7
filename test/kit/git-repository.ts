import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';

/** What a path holds after a commit: text, bytes, a link, a program, a submodule, or nothing any more. */
export type TestFile = string | Uint8Array | null | { link: string } | { executable: string } | { submodule: string };

export interface TestCommit {
  /** Default: `main`. */
  branch?: string;
  files?: Record<string, TestFile>;
  message?: string;
  /** `Name <email>`. */
  author?: string;
  /** Seconds since 1970. */
  time?: number;
  /** Start from nothing instead of the branch's newest commit (a force push). */
  orphan?: boolean;
  /** Commit to start from instead of the branch's newest. */
  from?: string;
  /** Further parents. */
  merge?: string[];
}

/** A bare repository on disk, written with the git binary. */
export interface TestRepository {
  path: string;
  /** Writes a commit and moves its branch; gives the commit's id. */
  commit(commit: TestCommit): string;
  /** Runs git in the repository; gives what it prints. */
  git(...args: string[]): string;
  /** The same, with something to read. */
  pipe(args: string[], input: string): string;
}

/** Never the machine's own configuration, nor the repository that the tests run in. */
const env = {
  PATH: process.env['PATH'] ?? '',
  HOME: '/nonexistent',
  GIT_CONFIG_NOSYSTEM: '1',
  GIT_CONFIG_GLOBAL: '/dev/null',
  GIT_AUTHOR_NAME: 'Ada',
  GIT_AUTHOR_EMAIL: 'ada@example.com',
  GIT_COMMITTER_NAME: 'Ada',
  GIT_COMMITTER_EMAIL: 'ada@example.com',
};

/** Uses the bare repository at `path`, creating it where it is missing. */
export function openTestRepository(path: string): TestRepository {
  function git(...args: string[]): string {
    return execFileSync('git', ['-C', path, ...args], { env, encoding: 'utf8', maxBuffer: 64 * 1024 * 1024 }).trim();
  }
  if (!existsSync(path)) execFileSync('git', ['init', '-q', '--bare', '--initial-branch=main', path], { env });
  for (const setting of ['uploadpack.allowFilter', 'uploadpack.allowAnySHA1InWant']) git('config', setting, 'true');
  let clock = Date.UTC(2026, 0, 1) / 1000;

  return {
    path,
    git,
    pipe(args, input) {
      return execFileSync('git', ['-C', path, ...args], { env, encoding: 'utf8', input }).trim();
    },
    commit(commit) {
      const branch = commit.branch ?? 'main';
      clock += 1;
      const parent = commit.orphan === true ? undefined : (commit.from ?? headOf(branch));
      const stream = encodeCommit({ ...commit, branch, time: commit.time ?? clock }, parent);
      execFileSync('git', ['-C', path, 'fast-import', '--quiet', '--force'], { env, input: stream });
      return git('rev-parse', `refs/heads/${branch}`);
    },
  };

  function headOf(branch: string): string | undefined {
    const oid = git('for-each-ref', '--format=%(objectname)', `refs/heads/${branch}`);
    return oid === '' ? undefined : oid;
  }
}

/** Many commits in one go, for large repositories: give the stream of git fast-import. */
export function importStream(repository: TestRepository, stream: Buffer): void {
  execFileSync('git', ['-C', repository.path, 'fast-import', '--quiet', '--force'], {
    env,
    input: stream,
    maxBuffer: 1024 * 1024,
  });
}

/** One commit in the language of git fast-import. */
export function encodeCommit(
  commit: TestCommit & { branch: string; time: number },
  parent: string | undefined,
): Buffer {
  const who = `${commit.author ?? 'Ada <ada@example.com>'} ${commit.time} +0000`;
  const message = Buffer.from(commit.message ?? 'Change something');
  const parts: (string | Uint8Array)[] = [
    ...(parent === undefined ? [`reset refs/heads/${commit.branch}\n`] : []),
    `commit refs/heads/${commit.branch}\nauthor ${who}\ncommitter ${who}\ndata ${message.length}\n`,
    message,
    '\n',
    ...(parent === undefined ? [] : [`from ${parent}\n`]),
    ...(commit.merge ?? []).map((oid) => `merge ${oid}\n`),
  ];
  for (const [path, file] of Object.entries(commit.files ?? {})) parts.push(...encodeFile(path, file));
  parts.push('\n');
  return Buffer.concat(parts.map((part) => (typeof part === 'string' ? Buffer.from(part) : part)));
}

function encodeFile(path: string, file: TestFile): (string | Uint8Array)[] {
  const name = JSON.stringify(path);
  if (file === null) return [`D ${name}\n`];
  if (typeof file === 'object' && 'submodule' in file) return [`M 160000 ${file.submodule} ${name}\n`];
  const mode =
    typeof file === 'object' && 'link' in file
      ? '120000'
      : typeof file === 'object' && 'executable' in file
        ? '100755'
        : '100644';
  const content = contentOf(file);
  return [`M ${mode} inline ${name}\ndata ${content.length}\n`, content, '\n'];
}

function contentOf(file: Exclude<TestFile, null | { submodule: string }>): Buffer {
  if (typeof file === 'string') return Buffer.from(file);
  if (file instanceof Uint8Array) return Buffer.from(file);
  return Buffer.from('link' in file ? file.link : file.executable);
}
