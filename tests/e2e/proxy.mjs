// An HTTP proxy as some companies have: pages get through, tunnels (and so WebSockets) do not.
// A browser behind it has no other TCP; its UDP is its own.

import { once } from 'node:events';
import { createServer, request } from 'node:http';

/** `refused()` counts the tunnels that were asked for. */
export async function pagesOnlyProxy() {
  let refused = 0;
  const server = createServer(forward);
  server.on('connect', (_, socket) => {
    refused += 1;
    socket.end('HTTP/1.1 403 Forbidden\r\n\r\n');
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    // Browsers leave local addresses out unless told otherwise.
    settings: { server: `http://127.0.0.1:${server.address().port}`, bypass: '<-loopback>' },
    refused: () => refused,
    close() {
      server.close();
      server.closeAllConnections();
    },
  };
}

function forward(incoming, outgoing) {
  const { method, headers, url } = incoming;
  const onward = request(url, { method, headers }, (answer) => {
    outgoing.writeHead(answer.statusCode, answer.headers);
    answer.pipe(outgoing);
  });
  onward.on('error', () => outgoing.destroy());
  incoming.pipe(onward);
}
