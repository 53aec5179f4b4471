// `npx create-ai-platform`, from the packages that a release publishes, without a network.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFile, readdir, readlink, rm } from 'node:fs/promises';
import { get } from 'node:http';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';

import { onPage, startBrowser } from './browser.mjs';
import { fromSuite, newFolder, startPlatform } from './platform.mjs';
import { WITHOUT_SCRIPTS, firstDay } from './steps.mjs';

const NPX = ['npx', 'create-ai-platform'];
// Nothing comes over a network, and npm's own remarks are not what is looked at.
const ALONE = {
  offline: 'true',
  registry: 'http://127.0.0.1:9',
  loglevel: 'error',
  audit: 'false',
  fund: 'false',
};

describe('the npm packages', () => {
  let packages;
  let cache; // of npm, empty at first: nothing comes from there
  let whole; // a folder where everything is installed
  let bare; // a folder without the package of this platform

  before(async () => {
    cache = await newFolder();
    for (const [name, value] of Object.entries({ ...ALONE, cache })) {
      process.env[`npm_config_${name}`] = value;
    }
    packages = await tarballs();
    whole = await installed(packages.command, packages.platform);
    bare = await installed(packages.command);
  });

  after(async () => {
    for (const folder of [cache, whole, bare]) {
      if (folder) await rm(folder, { recursive: true, force: true });
    }
  });

  test('start a platform, and stop it with all that it started', async () => {
    const command = [join(whole, 'node_modules/.bin/create-ai-platform')];
    assert.equal(await startedAndStopped({ command, folder: whole }), 0);
  });

  test('do so by npx', async () => {
    // Where its shell dies of the signal, npx says so, and has no exit code.
    assert.equal((await startedAndStopped({ command: NPX, folder: whole })) ?? 0, 0);
  });

  for (const [who, options] of [['with scripts', {}], ['without scripts', WITHOUT_SCRIPTS]]) {
    test(`bring somebody ${who} from npx to an answer`, async (t) => {
      const mine = await installed(packages.command, packages.platform);
      const browser = await startBrowser();
      try {
        const typed = { command: NPX, folder: mine, byHand: true };
        await startedAndStopped(typed, (platform) =>
          onPage(browser, `npm ${t.name}`, options, (page) => firstDay(page, platform)));
        const left = (await readdir(mine)).sort();
        assert.deepEqual(left, ['my-company', 'node_modules', 'package-lock.json', 'package.json']);
      } finally {
        await browser.close();
        await rm(mine, { recursive: true, force: true });
      }
    });
  }

  test('hand on what is typed and how it ended', async () => {
    const direct = await ran([fromSuite('SOULFRA_PROGRAM'), 'Not a name'], whole);
    assert.notEqual(direct.code, 0);
    assert.deepEqual(await ran([...NPX, 'Not a name'], whole), direct);
  });

  test('say what to do where the package of this platform is missing', async () => {
    const { code, stdout, stderr } = await ran([...NPX, 'my-company'], bare);
    assert.equal(code, 1);
    assert.equal(stdout, '');
    assert.match(stderr, /^error: the package @soulfra\/create-ai-platform-\S+ is not installed$/m);
    assert.match(stderr, /^hint: .*--include=optional/m);
  });

  test('say where there are builds where there is none', async () => {
    const script = 'node_modules/create-ai-platform/bin/create-ai-platform.js';
    const elsewhere = 'Object.defineProperty(process, "platform", { value: "win32" })';
    const node = ['node', '--import', `data:text/javascript,${encodeURIComponent(elsewhere)}`];
    const { code, stderr } = await ran([...node, script, 'my-company'], whole);
    assert.equal(code, 1);
    assert.match(stderr, /^error: there is no build for win32-/m);
    assert.match(stderr, /^hint: .*linux-x64-gnu.* WSL/m);
  });

  /** Looks at a platform, and stops it. Gives the exit code. */
  async function startedAndStopped(call, visit = () => {}) {
    const platform = await startPlatform('my-company', call);
    let code;
    try {
      assert.equal(await statusOf(platform.site), 200);
      if (process.platform === 'linux') {
        const names = (await processesIn(platform.home, call.folder)).join('\n');
        assert.match(names, /postgres/, 'its processes are found while it runs');
      }
      await visit(platform);
    } finally {
      code = await platform.stop();
    }
    assert.deepEqual(await processesIn(platform.home, call.folder), []);
    return code;
  }

  /** A new folder with these tarballs installed as from a registry, which nobody may ask. */
  async function installed(...files) {
    const folder = await newFolder();
    const { code, stderr } = await ran(['npm', 'install', ...files], folder);
    assert.equal(code, 0, stderr);
    return folder;
  }
});

/** The two packages, in the version of the program. */
async function tarballs() {
  const folder = fromSuite('SOULFRA_NPM');
  const { stdout } = await ran([fromSuite('SOULFRA_PROGRAM'), '--version'], folder);
  const version = stdout.trim().split(' ').pop();
  const files = (await readdir(folder)).filter((file) => file.endsWith(`-${version}.tgz`));
  const named = (start) => {
    const file = files.find((each) => each.startsWith(start));
    assert.ok(file, `no ${start}*-${version}.tgz in ${folder}`);
    return join(folder, file);
  };
  return {
    command: named('create-ai-platform-'),
    platform: named('soulfra-create-ai-platform-'),
  };
}

/** Runs a command to its end. */
function ran([program, ...words], folder) {
  return new Promise((resolve) => {
    execFile(program, words, { cwd: folder }, (error, stdout, stderr) => {
      resolve({ code: error ? error.code : 0, stdout, stderr });
    });
  });
}

/** What `GET /` answers. By address, for not every resolver knows names below localhost. */
function statusOf(site) {
  const { host, port } = new URL(site);
  return new Promise((resolve, reject) => {
    get({ host: '127.0.0.1', port, path: '/', headers: { host } }, (answer) => {
      answer.resume();
      resolve(answer.statusCode);
    }).on('error', reject);
  });
}

/** The commands of the processes that work in one of the folders, or name it. Linux only. */
async function processesIn(...folders) {
  if (process.platform !== 'linux') return [];
  const found = [];
  for (const pid of (await readdir('/proc')).filter((name) => /^\d+$/.test(name))) {
    try {
      const place = await readlink(`/proc/${pid}/cwd`);
      const words = (await readFile(`/proc/${pid}/cmdline`, 'utf8')).replaceAll('\0', ' ');
      if (folders.some((folder) => `${place} ${words}`.includes(folder))) found.push(words);
    } catch {
      // It ended meanwhile, or is somebody else's.
    }
  }
  return found;
}
