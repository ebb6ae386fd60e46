// A long way between two pages: the ways to each other that they hear of lead through a program that delays packets.

import { program } from '../e2e/relay.mjs';
import { Asked } from './asked.mjs';

const NATIVE = process.env.WARREN_BENCH_NATIVE ?? program('bench-native');
/** A network does not wait for a busy machine. Without the right to do that it runs like any other program. */
const FIRST = ['nice', '-n', '-10'];

export class FarApart {
  #delays;

  /** Each way takes so many milliseconds. */
  constructor(milliseconds) {
    this.#delays = new Asked(NATIVE, ['far', String(milliseconds)], FIRST);
  }

  get pid() {
    return this.#delays.pid;
  }

  /** Puts two new pages far apart, before anything was loaded there. Others that were are connected no more. */
  async put(one, other) {
    const { faces } = JSON.parse(await this.#delays.ask('way'));
    await one.addInitScript(onlyThrough, faces[0]);
    await other.addInitScript(onlyThrough, faces[1]);
  }

  /** What became of the packets between them. */
  async told() {
    return JSON.parse(await this.#delays.ask('told'));
  }

  end() {
    return this.#delays.end();
  }
}

/** Runs in the page, before its own scripts: whoever the remote is, it is seen at this port and nowhere else. */
function onlyThrough(port) {
  const { addIceCandidate, setRemoteDescription } = RTCPeerConnection.prototype;

  /** The candidate as it leads there; nothing for all that is not the remote's own address, which one is enough of. */
  const led = (candidate) => {
    const words = candidate.split(' ');
    const [, , transport, , address, , , kind] = words;
    if (transport.toLowerCase() !== 'udp' || kind !== 'host' || address.includes(':')) return undefined;
    return words.with(5, port).join(' ');
  };
  const ledLine = (line) => {
    if (!line.startsWith('a=candidate:')) return line;
    const candidate = led(line.slice(2));
    return candidate && `a=${candidate}`;
  };

  RTCPeerConnection.prototype.addIceCandidate = async function (found) {
    if (!found?.candidate) return addIceCandidate.call(this, found);
    const { sdpMid, sdpMLineIndex, usernameFragment } = found;
    const candidate = led(found.candidate);
    if (candidate) return addIceCandidate.call(this, { candidate, sdpMid, sdpMLineIndex, usernameFragment });
  };
  RTCPeerConnection.prototype.setRemoteDescription = function ({ type, sdp }) {
    const lines = sdp.split('\r\n').map(ledLine);
    return setRemoteDescription.call(this, { type, sdp: lines.filter((line) => line !== undefined).join('\r\n') });
  };
}
