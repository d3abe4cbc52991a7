import { HawserError } from '../../errors.ts';

/** What one render may use (reliability-security.md §2.7). Sizes in bytes, times in milliseconds. */
export interface RenderLimits {
  /** LIM-10: from dispatch to answer. */
  wallClock: number;
  /** LIM-11: data segment of the worker and of each tool. */
  memory: number;
  /** LIM-09: what a tool prints, and all canonical JSON of one render. */
  output: number;
  /** The largest file that a tool may write. */
  fileSize: number;
  /** Processes at once within one worker's group. */
  processes: number;
  /** LIM-12. */
  objects: number;
  nodesPerObject: number;
  depth: number;
  /** LIM-13: canonical JSON of one object. */
  objectSize: number;
  /** LIM-05, LIM-06: what a bundle may hold. */
  files: number;
  bundleSize: number;
}

const mebibyte = 1024 * 1024;

export const defaultLimits: RenderLimits = {
  wallClock: 60_000,
  memory: 2048 * mebibyte,
  output: 20 * mebibyte,
  fileSize: 64 * mebibyte,
  processes: 64,
  objects: 10_000,
  nodesPerObject: 200_000,
  depth: 100,
  objectSize: Math.floor(1.4 * mebibyte),
  files: 20_000,
  bundleSize: 256 * mebibyte,
};

const words: Record<keyof RenderLimits, { sentence: (value: number) => string; hint: string }> = {
  wallClock: {
    sentence: (value) => `rendering took longer than ${value / 1000} s`,
    hint: 'Make the chart or kustomization smaller, or look for a loop in a template.',
  },
  memory: {
    sentence: (value) => `rendering needed more than ${readableBytes(value)} of memory`,
    hint: 'Look for a template that builds a very long list or string.',
  },
  output: {
    sentence: (value) => `the rendered objects are larger than ${readableBytes(value)}`,
    hint: 'Split the application.',
  },
  fileSize: {
    sentence: (value) => `the tool wrote a file larger than ${readableBytes(value)}`,
    hint: 'Render less at once.',
  },
  processes: {
    sentence: (value) => `the tool started more than ${value} processes`,
    hint: 'Plugins are not supported.',
  },
  objects: { sentence: (value) => `there are more than ${value} objects`, hint: 'Split the application.' },
  nodesPerObject: {
    sentence: (value) => `an object has more than ${value} values`,
    hint: 'Look for YAML aliases that repeat large parts.',
  },
  depth: { sentence: (value) => `an object is nested deeper than ${value} levels`, hint: 'Flatten the object.' },
  objectSize: {
    sentence: (value) => `an object is larger than ${readableBytes(value)}, which no cluster stores`,
    hint: 'Split the object, e.g. one ConfigMap per file.',
  },
  files: { sentence: (value) => `the render reads more than ${value} files`, hint: 'Split the application.' },
  bundleSize: {
    sentence: (value) => `the files to render are larger than ${readableBytes(value)}`,
    hint: 'Split the application.',
  },
};

/** The typed error for a limit that was passed; `where` names file or document when it is known. */
export function limitError(limit: keyof RenderLimits, value: number, where?: string): HawserError {
  const { sentence, hint } = words[limit];
  return new HawserError('render-limit', `${where === undefined ? '' : `${where}: `}${sentence(value)}`, {
    data: { limit, value },
    hint,
  });
}

function readableBytes(bytes: number): string {
  return bytes >= mebibyte ? `${Math.round((bytes / mebibyte) * 10) / 10} MiB` : `${bytes} bytes`;
}
