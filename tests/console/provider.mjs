// A company's OpenID provider, which lets in whoever comes as one person.

import { createHash, generateKeyPairSync, randomUUID, sign } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';

export const CLIENT = { id: 'console', secret: 'a secret of both' };

/** Starts it; gives its `issuer`, and `stop()`. Its word is about this e-mail address. */
export async function startProvider(email) {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const key = { ...publicKey.export({ format: 'jwk' }), kid: 'the key', alg: 'ES256', use: 'sig' };
  const codes = new Map(); // what was asked with each code
  let issuer;

  function word({ nonce }) {
    const now = Math.floor(Date.now() / 1000);
    const of = { iss: issuer, aud: CLIENT.id, sub: 'ada', iat: now, exp: now + 300, nonce };
    const part = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');
    const text = `${part({ alg: 'ES256', kid: key.kid })}.${part({ ...of, email, email_verified: true })}`;
    const signed = sign('sha256', Buffer.from(text), { key: privateKey, dsaEncoding: 'ieee-p1363' });
    return `${text}.${signed.toString('base64url')}`;
  }

  async function answered(request, answer) {
    const { pathname, searchParams } = new URL(request.url, issuer);
    const json = (status, value) =>
      answer.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(value));
    if (pathname === '/.well-known/openid-configuration') {
      json(200, {
        issuer,
        authorization_endpoint: `${issuer}/authorize`,
        token_endpoint: `${issuer}/token`,
        jwks_uri: `${issuer}/keys`,
      });
    } else if (pathname === '/keys') {
      json(200, { keys: [key] });
    } else if (pathname === '/authorize') {
      const asked = Object.fromEntries(searchParams);
      const code = randomUUID();
      codes.set(code, asked);
      const back = new URL(asked.redirect_uri);
      back.search = new URLSearchParams({ code, state: asked.state });
      answer.writeHead(302, { location: back.href }).end();
    } else if (pathname === '/token') {
      let body = '';
      for await (const some of request) body += some;
      const sent = new URLSearchParams(body);
      const asked = codes.get(sent.get('code'));
      codes.delete(sent.get('code'));
      const challenge = createHash('sha256').update(sent.get('code_verifier') ?? '').digest('base64url');
      if (asked?.code_challenge === challenge) json(200, { id_token: word(asked), token_type: 'Bearer' });
      else json(400, { error: 'invalid_grant' });
    } else {
      json(404, {});
    }
  }

  const server = createServer((request, answer) => {
    answered(request, answer).catch(() => answer.destroy());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  issuer = `http://127.0.0.1:${server.address().port}`;
  return { issuer, stop: () => server.close() };
}
