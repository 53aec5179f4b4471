#!/usr/bin/env node
// Finds the program in the package of this platform, and stands aside: the program has the
// terminal, gets every signal, and its end is the end of this.

import { spawn } from 'node:child_process';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

const require = createRequire(import.meta.url);
const SCOPE = '@soulfra/create-ai-platform-';
// Written by `cargo xtask npm`: one package for each platform there is a build for.
const { optionalDependencies: builds } = require('../package.json');

run(program());

/** Where the program is; ends with a hint where there is none. */
function program() {
  const platform = thisPlatform();
  const name = SCOPE + platform;
  if (!(name in builds)) {
    const platforms = Object.keys(builds).map((build) => build.slice(SCOPE.length));
    const instead = process.platform === 'win32' ? ' On Windows, run it in WSL.' : '';
    fail(`there is no build for ${platform}`, `There are builds for ${platforms.join(', ')}.${instead}`);
  }
  try {
    return join(dirname(require.resolve(`${name}/package.json`)), 'bin/create-ai-platform');
  } catch {
    fail(
      `the package ${name} is not installed`,
      'Install again with --include=optional, here on this platform: without --omit=optional, ' +
        'without a node_modules from another one.',
    );
  }
}

/** As in the names of the packages: the system, the processor and, on Linux, the C library. */
function thisPlatform() {
  const { platform, arch } = process;
  if (platform !== 'linux') return `${platform}-${arch}`;
  // Looking up the names of open connections could take long.
  process.report.excludeNetwork = true;
  const { glibcVersionRuntime } = process.report.getReport().header;
  return `linux-${arch}-${glibcVersionRuntime ? 'gnu' : 'musl'}`;
}

/** Runs the program to its end, and ends as it did. */
function run(file) {
  const passed = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT'];
  const pass = (signal) => child.kill(signal);
  // Before the program starts: a signal in between would leave it alone.
  for (const signal of passed) process.on(signal, pass);

  const child = spawn(file, process.argv.slice(2), { stdio: 'inherit' });
  child.on('error', (error) => {
    fail(`could not start ${file}: ${error.message}`, 'Remove node_modules and install again.');
  });
  if (process.env.npm_lifecycle_event) stopWithParent(child);
  child.on('exit', (code, signal) => {
    if (!signal) process.exit(code);
    for (const each of passed) process.off(each, pass);
    process.kill(process.pid, signal);
  });
}

/** npm, and so npx, calls us through a shell, which may die of a signal and not pass it on. */
function stopWithParent(child) {
  const parent = process.ppid;
  const watch = setInterval(() => {
    if (process.ppid === parent) return;
    clearInterval(watch);
    child.kill('SIGTERM');
  }, 250);
}

function fail(what, hint) {
  console.error(`error: ${what}\nhint: ${hint}`);
  process.exit(1);
}
