// A UDP forwarder between browsers and a relay: the path that a test can cut without anybody being told.

import { createSocket } from 'node:dgram';
import { once } from 'node:events';

export class Forwarder {
  #front = createSocket('udp4');
  /** A socket towards the target for each sender, so that answers find their way back. */
  #backs = new Map();
  #target;
  /** While it is cut everything is dropped, both ways. */
  cut = false;

  /** Forwards to `target`, an `ip:port`. */
  static async to(target) {
    const forwarder = new Forwarder();
    const [, host, port] = /^(.*):(\d+)$/.exec(target);
    forwarder.#target = { host, port: Number(port) };
    forwarder.#front.on('message', (message, { address, port }) => forwarder.#forth(message, address, port));
    forwarder.#front.bind(0, '127.0.0.1');
    await once(forwarder.#front, 'listening');
    return forwarder;
  }

  get port() {
    return this.#front.address().port;
  }

  /** The same multiaddr, with this forwarder in the place of the target. */
  instead(address) {
    return address.replace(/\/udp\/\d+\//, `/udp/${this.port}/`);
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
