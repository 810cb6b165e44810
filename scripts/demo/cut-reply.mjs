// A network that delivers a request and loses its reply: a TCP proxy in front of a gateway that carries what the client
// sends, swallows what the gateway answers, and then drops the client.
import { once } from 'node:events';
import { connect, createServer } from 'node:net';

/** Sends one POST through such a network. Resolves with what the client saw (an error) once a reply was swallowed. */
export async function postWithoutReply({ url, key, path, body }) {
  const target = new URL(url);
  const sockets = new Set();
  let swallowed = '';
  const proxy = createServer((client) => {
    const server = connect({ host: target.hostname, port: Number(target.port) });
    for (const socket of [client, server]) {
      sockets.add(socket);
      socket.on('error', () => undefined);
    }
    client.pipe(server);
    server.on('data', (chunk) => {
      swallowed += chunk.toString('latin1');
      client.resetAndDestroy();
    });
  }).listen(0, '127.0.0.1');
  await once(proxy, 'listening');
  const seen = await fetch(`http://127.0.0.1:${proxy.address().port}${path}`, {
    method: 'POST',
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
    body: JSON.stringify(body),
    signal: AbortSignal.timeout(10_000),
  }).then(
    (response) => `an answer: ${response.status}`,
    (error) => `no answer: ${error.cause?.code ?? error.cause?.message ?? error.message}`,
  );
  for (const socket of sockets) socket.destroy();
  proxy.close();
  return { seen, replyWasSent: swallowed.startsWith('HTTP/1.1') };
}
