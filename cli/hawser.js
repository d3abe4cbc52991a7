#!/usr/bin/env node
// Starts cli/main.ts on a Node.js that can run TypeScript: this one, or the package's own.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const main = new URL('./main.ts', import.meta.url);
// Without `npm install` in a copy of the package there is only the bundle; Node.js strips no types below node_modules.
const bundle = new URL('../dist/cli/main.js', import.meta.url);
const isInstalledCopy = main.pathname.includes('/node_modules/');
const entry = isInstalledCopy && existsSync(bundle) ? bundle : main;

if (canRun(entry)) {
  const { enableCompileCache } = await import('node:module');
  enableCompileCache?.();
  await import(entry.href);
} else {
  startWithOwnNode();
}

function canRun(url) {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  const isRecent = major >= 24 || (major === 22 && minor >= 18);
  return isRecent && (url.pathname.endsWith('.js') || process.features.typescript === 'strip');
}

function startWithOwnNode() {
  const own = ['../node_modules/node/bin/node', '../../node/bin/node']
    .map((path) => fileURLToPath(new URL(path, import.meta.url)))
    .find((path) => existsSync(path));
  if (own === undefined || isInstalledCopy) {
    process.stderr.write(
      `error: hawser needs Node.js 24 or newer, and this is ${process.version}\n` +
        '       Install it from https://nodejs.org, or run `npm install` in the folder of hawser, which brings its own.\n',
    );
    process.exitCode = 2;
    return;
  }
  const child = spawn(own, [fileURLToPath(import.meta.url), ...process.argv.slice(2)], { stdio: 'inherit' });
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
    // Ctrl-C on a terminal reaches the child by itself; a second one would end it the hard way.
    process.on(signal, () => {
      if (signal !== 'SIGINT' || !process.stdin.isTTY) child.kill(signal);
    });
  }
  child.on('exit', (code, signal) => {
    process.exitCode = code ?? (signal === 'SIGINT' ? 130 : 1);
  });
}
