// The real command, run as a person runs it, in a folder and a home of its own.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

const SECOND = 1000;
// A first start fetches Postgres and the model; after that it takes seconds.
const PATIENCE = 240 * SECOND;

/**
 * Starts `create-ai-platform NAME` and waits until it says that it is ready. `command` are
 * other words that call the program, `folder` a folder to call it in instead of a new one.
 * `byHand` is as at a terminal: nothing is typed but that, the words for people are read, and
 * it is stopped by Ctrl-C, which all that was started from there gets.
 *
 * Gives its `site` and `adminLink`, every event it printed, its `home`, and `stop()`.
 */
export async function startPlatform(name = 'my-company', { command, folder, byHand = false } = {}) {
  const [program, ...words] = command ?? [fromSuite('SOULFRA_PROGRAM')];
  const home = await newFolder();
  if (!folder) {
    folder = join(home, 'folder');
    await mkdir(folder);
  }

  const child = spawn(program, [...words, name, ...(byHand ? [] : ['--json'])], {
    cwd: folder,
    env: { ...process.env, SOULFRA_HOME: join(home, 'state'), SOULFRA_PORT: '0' },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: byHand, // a group of processes of its own
  });
  // Not its exit: what it started may be at work for a little longer.
  const ended = once(child, 'close').then(([code, signal]) => ({ code, signal }));
  const talk = [];
  createInterface({ input: child.stderr }).on('line', (line) => talk.push(line));

  /** Stops it, and removes its home. Gives its exit code. */
  async function stop() {
    if (byHand && child.exitCode === null) process.kill(-child.pid, 'SIGINT');
    else child.kill('SIGTERM');
    const killer = setTimeout(() => {
      child.kill('SIGKILL');
      child.stdout.destroy();
      child.stderr.destroy();
    }, 30 * SECOND);
    const { code } = await ended;
    clearTimeout(killer);
    await rm(home, { recursive: true, force: true });
    return code;
  }

  const events = [];
  const ready = new Promise((resolve) => {
    const read = byHand ? readerOfWords() : JSON.parse;
    createInterface({ input: child.stdout }).on('line', (line) => {
      const event = read(line);
      events.push(event);
      if (event.event === 'ready') resolve(event);
    });
  });
  const failed = (why) =>
    new Error(`${program} ${why}\nevents: ${JSON.stringify(events)}\nstderr:\n${talk.slice(-40).join('\n')}`);
  let patience;
  try {
    const { site, adminLink } = await Promise.race([
      ready,
      ended.then(({ code, signal }) => Promise.reject(failed(`ended with ${code ?? signal}`))),
      new Promise((_, reject) => {
        patience = setTimeout(() => reject(failed('was not ready in time')), PATIENCE);
      }),
    ]);
    return { name, site, adminLink, events, folder, home, stop };
  } catch (error) {
    await stop();
    throw error;
  } finally {
    clearTimeout(patience);
  }
}

/** Reads the lines for people: a name and what is so named. The last one tells the rest. */
function readerOfWords() {
  const said = {};
  return (line) => {
    const [name, value] = line.split(/ {2,}/);
    said[name] = value;
    const ready = { event: 'ready', site: said.Site, adminLink: said['Admin link'] };
    return name === 'Blueprint' ? ready : { event: 'line', line };
  };
}

/** An empty folder of its own among the temporary ones. */
export async function newFolder() {
  const folder = await mkdtemp(join(tmpdir(), 'soulfra-browser-'));
  // As root, the platform's Postgres runs as somebody else, who has to get through here.
  await chmod(folder, 0o711);
  return folder;
}

/** What the suite hands over in the environment. */
export function fromSuite(variable) {
  const value = process.env[variable];
  if (!value) throw new Error(`${variable} is not set: run cargo xtask test --suite browser`);
  return value;
}
