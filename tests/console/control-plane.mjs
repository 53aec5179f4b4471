// The real control plane over a real Postgres and a real API server, and what is there to be looked at.

import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

import { newFolder } from '../browser/platform.mjs';

const run = promisify(execFile);
const CRD = fileURLToPath(new URL('../../blueprint/generated/crd.yaml', import.meta.url));
const INSTALLATION = fileURLToPath(new URL('../../plan/fixtures/installation.json', import.meta.url));
const ROUTES = fileURLToPath(new URL('../../control-plane/src/console.rs', import.meta.url));
const PATIENCE = 30_000;

export const OWNER = { name: 'Ada Lovelace', email: 'ada@acme.example', password: 'engine-of-analysis-1843' };

/**
 * Starts it over the database that the suite hands over in this variable, with one organization, `acme`. Gives its `site`, the `link` by which the owner joins, a
 * `key` of the API with which everything can be done but what model servers do, `modelServerKey` for
 * that, `hook`, an address that webhooks may call, and `stop()`.
 */
export async function startControlPlane(database) {
  const folder = await newFolder();
  // A platform that takes every grant is met there too.
  const granted = JSON.stringify({ path: `/welcome/${'A'.repeat(43)}`, expiresAt: '2030-01-01T00:00:00Z' });
  const hook = createServer(({ url }, answer) => {
    const isAsked = url === '/grants/admin-link';
    answer.writeHead(isAsked ? 200 : 204).end(isAsked ? granted : undefined);
  });
  hook.listen(0, '127.0.0.1');
  await once(hook, 'listening');
  // Where the rest does not start, nobody stops it, and the tests are to end all the same.
  hook.unref();
  const at = await freePort();
  // By a name and not by an address: passkeys are bound to one.
  const site = `http://localhost:${at}`;
  const [settings, operator] = ['settings.yaml', 'operator.yaml'].map((file) => join(folder, file));
  const secret = { mode: 0o600 };
  await writeFile(join(folder, 'database'), fromSuite(database), secret);
  await writeFile(operator, `installation: ${await readFile(INSTALLATION, 'utf8')}`);
  await writeFile(settings, JSON.stringify({
    listen: `127.0.0.1:${at}`,
    database: join(folder, 'database'),
    rootKey: join(folder, 'root.key'),
    url: site,
    egress: ['127.0.0.0/8'],
    operator,
    gateway: `http://127.0.0.1:${hook.address().port}`,
  }));
  await kubectl('apply', '-f', CRD);
  await kubectl('wait', '--for=condition=Established', '--timeout=30s', '-f', CRD);

  const words = ['admit', '--settings', settings, '--slug', 'acme', '--name', 'Acme', '--plan', 'business'];
  const admitted = await run(fromSuite('SOULFRA_CONTROL_PLANE'), [...words, '--owner', OWNER.email]);
  const [key, link] = admitted.stdout.trim().split('\n');
  const added = ['model-server', 'add', '--settings', settings, 'gpu-1'];
  const modelServerKey = (await run(fromSuite('SOULFRA_CONTROL_PLANE'), added)).stdout.trim();
  const child = spawn(fromSuite('SOULFRA_CONTROL_PLANE'), ['serve', '--settings', settings], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const ended = once(child, 'exit');
  const talk = [];
  createInterface({ input: child.stderr }).on('line', (line) => talk.push(line));

  async function stop() {
    hook.close();
    child.kill('SIGTERM');
    await ended;
    await rm(folder, { recursive: true, force: true });
  }

  const begun = Date.now();
  while (!(await isReady(site))) {
    if (child.exitCode !== null || Date.now() - begun > PATIENCE) {
      await stop();
      throw new Error(`the control plane does not serve:\n${talk.slice(-20).join('\n')}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return { site, link, key, modelServerKey, hook: `http://127.0.0.1:${hook.address().port}/told`, stop };
}

/** Asks the API with the key, and gives what was answered. */
export async function asked(world, method, path, body) {
  const answer = await fetch(new URL(path, world.site), {
    method,
    headers: { authorization: `Bearer ${world.key}`, 'content-type': 'application/json' },
    body: typeof body === 'object' ? JSON.stringify(body) : body,
  });
  if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${await answer.text()}`);
  return answer.status === 204 ? null : answer.json();
}

/** A blueprint, as a person writes it. */
export function blueprint(name, displayName) {
  const head = 'apiVersion: soulfra.io/v1alpha1\nkind: PlatformBlueprint\n';
  return `${head}metadata:\n  name: ${name}\nspec:\n  identity:\n    displayName: ${displayName}\n`;
}

/** An operator says what it saw of a platform; nobody else does here. */
export function saw(name, status) {
  const patch = JSON.stringify({ status });
  return kubectl('patch', 'platformblueprints', name, '--subresource=status', '--type=merge', '-p', patch);
}

/** Every page and every form of the console, as its own list of routes has them. */
export async function routes() {
  const calls = (await readFile(ROUTES, 'utf8')).split('.route(').slice(1);
  const all = calls.map((call) => {
    const [, path, does] = call.match(/^\s*"([^"]+)",([^;/]*)/);
    return { path, isPage: does.includes('get('), isForm: does.includes('post(') };
  });
  // Files and news are no pages.
  const isOther = ({ path }) => path.endsWith('/{file}') || path.endsWith('/events');
  return all.filter((route) => !isOther(route));
}

/** The route that a path is of: where two could be, the one with fewer words in braces. */
export function routeOf(all, path) {
  const fits = ({ path: route }) => {
    const [is, may] = [path.split('/'), route.split('/')];
    return is.length === may.length && may.every((part, at) => part.startsWith('{') || part === is[at]);
  };
  const open = ({ path: route }) => route.split('{').length;
  return all.filter(fits).sort((one, other) => open(one) - open(other))[0];
}

async function isReady(site) {
  try {
    return (await fetch(new URL('/readyz', site))).ok;
  } catch {
    return false;
  }
}

async function kubectl(...words) {
  const kubeconfig = ['--kubeconfig', fromSuite('KUBECONFIG')];
  return (await run(fromSuite('SOULFRA_TEST_KUBECTL'), [...kubeconfig, ...words])).stdout;
}

/** A port that nobody has. */
async function freePort() {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  server.close();
  await once(server, 'close');
  return port;
}

/** What the suite hands over in the environment. */
export function fromSuite(variable) {
  const value = process.env[variable];
  if (!value) throw new Error(`${variable} is not set: run cargo xtask test --suite console`);
  return value;
}
