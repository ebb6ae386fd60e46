"""py-libp2p.py VERSION ADDRESS BYTES: py-libp2p dials by WebRTC-direct of that version, tells what identify
said, and echoes. Prints one line of JSON."""

import json
import sys

import trio
from libp2p.crypto.ed25519 import create_new_key_pair
from libp2p.identity.identify.pb.identify_pb2 import Identify
from libp2p.transport.webrtc.config import WebRTCTransportConfig
from libp2p.transport.webrtc.transport import WebRTCDirectTransport
from multiaddr import Multiaddr

ECHO = "/warren-test/echo/1.0.0"
IDENTIFY = "/ipfs/id/1.0.0"
PATIENCE = 60


def varint(number):
    out = bytearray()
    while number >= 0x80:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


async def read_exactly(stream, size):
    data = b""
    while len(data) < size:
        piece = await stream.read(size - len(data))
        if not piece:
            raise EOFError(f"{len(data)} of {size} bytes")
        data += piece
    return data


async def read_message(stream):
    size = shift = 0
    while True:
        byte = (await read_exactly(stream, 1))[0]
        size |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return await read_exactly(stream, size)


async def open_stream(connection, protocol):
    """Speaks multistream-select by hand: the connection is not part of a host here."""
    stream = await connection.open_stream()
    for text in ("/multistream/1.0.0\n", protocol + "\n"):
        await stream.write(varint(len(text)) + text.encode())
    for text in ("/multistream/1.0.0\n", protocol + "\n"):
        answer = await read_message(stream)
        if answer.decode() != text:
            raise ValueError(f"{protocol}: the other end says {answer!r}")
    return stream


async def identify(connection):
    stream = await open_stream(connection, IDENTIFY)
    told = Identify()
    told.ParseFromString(await read_message(stream))
    return told


async def echo(connection, size):
    stream = await open_stream(connection, ECHO)
    sent = bytes(at * 31 % 251 for at in range(size))
    received = bytearray()

    async def read():
        while len(received) < size:
            piece = await stream.read(64 * 1024)
            if not piece:
                return
            received.extend(piece)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(read)
        for at in range(0, size, 8192):
            await stream.write(sent[at : at + 8192])
    if bytes(received) != sent:
        raise ValueError(f"{len(received)} of {size} bytes came back, not all of them right")
    return len(received)


async def main(version, address, size):
    config = WebRTCTransportConfig(webrtc_direct_dial_version=version)
    transport = WebRTCDirectTransport(create_new_key_pair().private_key, config)
    with trio.fail_after(PATIENCE):
        connection = await transport.dial(Multiaddr(address))
        told = await identify(connection)
        echoed = await echo(connection, size)
    print(json.dumps({"agent": told.agent_version, "protocols": list(told.protocols), "echoed": echoed}), flush=True)
    with trio.move_on_after(5):
        await connection.close()
        await transport.close()


trio.run(main, int(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
