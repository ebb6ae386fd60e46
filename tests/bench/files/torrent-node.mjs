// node files/torrent-node.mjs [PATH]
// WebTorrent outside of a browser: a tracker for pages, and with a path who has that file, over WebRTC as a peer of its own
// and over HTTP as what WebTorrent calls a web seed. Says where everything is, and goes on until its standard input ends.

import { once } from 'node:events';
import { createReadStream, statSync } from 'node:fs';
import { createServer } from 'node:http';
import { Server } from 'bittorrent-tracker';
import WebTorrent from 'webtorrent';

/** Nobody is asked where this is. */
const RTC = { iceServers: [] };

const [path] = process.argv.slice(2);
const tracker = await startTracker();
const told = { ready: true, tracker };
if (path) Object.assign(told, { webSeed: await serve(path), torrent: await seed(path) });
console.log(JSON.stringify(told));
process.stdin.resume().on('end', () => process.exit(0));

async function startTracker() {
  const server = new Server({ udp: false, http: false, ws: true, stats: false });
  server.on('error', fail);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return `ws://127.0.0.1:${server.http.address().port}`;
}

/** A torrent that names neither the tracker nor the web seed: who fetches is told where to. */
async function seed(path) {
  const client = new WebTorrent({ dht: false, lsd: false, utPex: false, natUpnp: false, natPmp: false, tracker: { rtcConfig: RTC } });
  client.on('error', fail);
  const torrent = await new Promise((resolve) => client.seed(path, { announce: [tracker] }, resolve));
  // The tracker may have answered before this could listen.
  torrent.discovery.tracker.update();
  await once(torrent, 'trackerAnnounce');
  return Buffer.from(torrent.torrentFile).toString('base64');
}

/** A file over HTTP, in ranges, to pages of anybody. */
async function serve(path) {
  const { size } = statSync(path);
  const server = createServer((request, response) => {
    const allowed = { 'access-control-allow-origin': '*', 'access-control-allow-headers': '*', 'access-control-max-age': '600' };
    if (request.method === 'OPTIONS') return response.writeHead(204, allowed).end();
    const range = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? '');
    if (!range) return response.writeHead(200, { ...allowed, 'content-length': size }) && createReadStream(path).pipe(response);
    const [start, end] = [Number(range[1]), Math.min(Number(range[2]), size - 1)];
    response.writeHead(206, { ...allowed, 'content-range': `bytes ${start}-${end}/${size}`, 'content-length': end - start + 1 });
    return createReadStream(path, { start, end, highWaterMark: 1024 * 1024 }).pipe(response);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return `http://127.0.0.1:${server.address().port}/original`;
}

function fail(error) {
  console.error(`WebTorrent failed: ${error.stack ?? error}`);
  process.exit(1);
}
