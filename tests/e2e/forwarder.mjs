// A UDP forwarder between browsers and a relay: the path that a test can cut without anybody being told.

import { createSocket } from 'node:dgram';
import { once } from 'node:events';

export class Forwarder {
  #front = createSocket('udp4');
  /** A socket towards the target for each sender, so that answers find their way back. */
  #backs = new Map();
  #target;
  /** Where it is reached: the multiaddr it stands before, with its own port. */
  address;
  /** While it is cut everything is dropped, both ways. */
  cut = false;

  /** Stands before whoever listens at the multiaddr. */
  static async before(address) {
    const forwarder = new Forwarder();
    const [, host, port] = /^\/ip4\/([^/]+)\/udp\/(\d+)\//.exec(address);
    forwarder.#target = { host, port: Number(port) };
    forwarder.#front.on('message', (message, { address, port }) => forwarder.#forth(message, address, port));
    forwarder.#front.bind(0, '127.0.0.1');
    await once(forwarder.#front, 'listening');
    forwarder.address = address.replace(/^\/ip4\/[^/]+\/udp\/\d+\//, `/ip4/127.0.0.1/udp/${forwarder.#front.address().port}/`);
    return forwarder;
  }

  close() {
    this.#front.close();
    for (const back of this.#backs.values()) back.close();
  }

  #forth(message, address, port) {
    if (this.cut) return;
    const sender = `${address}:${port}`;
    let back = this.#backs.get(sender);
    if (!back) {
      back = createSocket('udp4');
      back.on('message', (answer) => {
        if (!this.cut) this.#front.send(answer, port, address);
      });
      // A target that is gone answers with ICMP, which is an error of the socket here.
      back.on('error', () => {});
      this.#backs.set(sender, back);
    }
    back.send(message, this.#target.port, this.#target.host);
  }
}
