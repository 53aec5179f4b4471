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
 *
 * Gives its `site` and `adminLink`, every event it printed, its `home`, and `stop()`.
 */
export async function startPlatform(name = 'my-company', { command, folder } = {}) {
  const [program, ...words] = command ?? [fromSuite('SOULFRA_PROGRAM')];
  const home = await newFolder();
  if (!folder) {
    folder = join(home, 'folder');
    await mkdir(folder);
  }

  const child = spawn(program, [...words, name, '--json', '--port', '0'], {
    cwd: folder,
    env: { ...process.env, SOULFRA_HOME: join(home, 'state') },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  // Not its exit: what it started may be at work for a little longer.
  const ended = once(child, 'close').then(([code, signal]) => ({ code, signal }));
  const talk = [];
  createInterface({ input: child.stderr }).on('line', (line) => talk.push(line));

  /** Stops it as Ctrl-C would, and removes its folder. Gives its exit code. */
  async function stop() {
    child.kill('SIGTERM');
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
    createInterface({ input: child.stdout }).on('line', (line) => {
      const event = JSON.parse(line);
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
