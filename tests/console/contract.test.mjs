// The API as its own document says it is: schemathesis makes requests of it, good ones, bad ones and
// chains of them, and holds each answer against it. The seed is fixed, so a failure comes again.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { after, before, describe, test } from 'node:test';

import { fromSuite, startControlPlane } from './control-plane.mjs';

const SEED = '20261123';
const EXAMPLES = '40';
/** Below what a key may ask in a second, so that what is answered is what was asked for. */
const RATE = '40/s';
/** An answer that never ends is no example of one, and model servers have keys of their own. */
const OF_OTHERS = 'events$|^/v1/inference';
const OF_MODEL_SERVERS = ['--include-path-regex', '^/v1/inference'];
/** No schema says what a blueprint, a network or an address of a webhook is, nor which currencies there are. */
const SAID_BY_NO_SCHEMA = ['--exclude-checks', 'positive_data_acceptance'];

describe('the API', () => {
  let world;

  before(async () => {
    world = await startControlPlane('SOULFRA_TEST_DATABASE_OF_CONTRACT');
  });

  after(() => world?.stop());

  test('is what its document says', { timeout: 600_000 }, async (t) => {
    await holds(t, world.key, ['--exclude-path-regex', OF_OTHERS, ...SAID_BY_NO_SCHEMA]);
  });

  test('is what its document says to model servers', { timeout: 600_000 }, async (t) => {
    await holds(t, world.modelServerKey, [...OF_MODEL_SERVERS, ...SAID_BY_NO_SCHEMA]);
  });

  /** Whether answers to whoever has this key are as they should be, of those operations. */
  async function holds(t, key, which) {
    const words = ['-m', 'schemathesis.cli', 'run', new URL('/v1/openapi.json', world.site).href];
    words.push('--header', `Authorization: Bearer ${key}`, '--no-color');
    words.push('--seed', SEED, '--max-examples', EXAMPLES, '--rate-limit', RATE);
    words.push(...which, '--generation-database', 'none', '--continue-on-failure');
    const said = [];
    const child = spawn(fromSuite('SOULFRA_SCHEMATHESIS'), words, { stdio: ['ignore', 'pipe', 'pipe'] });
    child.stdout.setEncoding('utf8').on('data', (text) => said.push(text));
    child.stderr.setEncoding('utf8').on('data', (text) => said.push(text));
    const [code] = await once(child, 'close');
    const all = said.join('');
    const summary = all.slice(all.lastIndexOf(' SUMMARY '));
    t.diagnostic(summary);
    assert.equal(code, 0, all.slice(-20_000));
  }
});
