// A bare data channel between two pages, in plain JavaScript: what a browser can do without any protocol.
// The bench carries the descriptions from one page to the other.

const LOW_WATER = 1024 * 1024;
const HIGH_WATER = 2 * 1024 * 1024;

let connection;
let channel;
/** Small messages come back on a channel of their own. */
let mirror;
let arrived = 0;
let expected = Infinity;
let everything;

function watch(opened) {
  if (opened.label === 'mirror') return reflect(opened);
  channel = opened;
  channel.binaryType = 'arraybuffer';
  channel.bufferedAmountLowThreshold = LOW_WATER;
  channel.onmessage = ({ data }) => {
    arrived += data.byteLength;
    if (arrived >= expected) everything?.();
  };
}

function reflect(opened) {
  mirror = opened;
  mirror.onmessage = ({ data }) => mirror.send(data);
}

/** Descriptions are complete: all candidates are in them. */
async function described() {
  if (connection.iceGatheringState !== 'complete') {
    await new Promise((resolve) => {
      connection.onicegatheringstatechange = () => connection.iceGatheringState === 'complete' && resolve();
    });
  }
  return connection.localDescription.sdp;
}

window.offer = async () => {
  connection = new RTCPeerConnection();
  watch(connection.createDataChannel('bench'));
  mirror = connection.createDataChannel('mirror');
  await connection.setLocalDescription();
  return described();
};

window.answer = async (sdp) => {
  connection = new RTCPeerConnection();
  connection.ondatachannel = (event) => watch(event.channel);
  await connection.setRemoteDescription({ type: 'offer', sdp });
  await connection.setLocalDescription();
  return described();
};

window.accept = async (sdp) => {
  await connection.setRemoteDescription({ type: 'answer', sdp });
  for (const one of [channel, mirror]) {
    if (one.readyState !== 'open') await new Promise((resolve) => (one.onopen = resolve));
  }
};

/** Resolves when so many more bytes have arrived. */
window.receive = (bytes) => {
  arrived = 0;
  expected = bytes;
  return new Promise((resolve) => (everything = resolve));
};

window.send = async (bytes, message) => {
  const piece = new Uint8Array(message);
  for (let left = bytes; left > 0; left -= message) {
    if (channel.bufferedAmount > HIGH_WATER) {
      await new Promise((resolve) => (channel.onbufferedamountlow = resolve));
    }
    channel.send(left < message ? piece.subarray(0, left) : piece);
  }
};

/** Milliseconds until a small message has come back. */
window.roundTrip = async () => {
  const back = new Promise((resolve) => (mirror.onmessage = resolve));
  const began = performance.now();
  mirror.send('x');
  await back;
  return performance.now() - began;
};

window.ready = true;
