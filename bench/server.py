"""Serves a folder over HTTP/1.1 with keep-alive, each answer after a fixed delay: server.py FOLDER DELAY_MS.

Prints the port, then serves until its input closes.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from urllib.parse import unquote


async def _serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, folder: Path, delay: float) -> None:
    try:
        while True:
            request = (await reader.readuntil(b"\r\n\r\n")).split(b"\r\n")
            method, target, _ = request[0].split(b" ", 2)
            await asyncio.sleep(delay)
            path = folder / Path(unquote(target.decode()).split("?")[0]).name
            if not path.is_file():
                writer.write(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
                continue
            body = path.read_bytes()
            head = f"HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nContent-Length: {len(body)}\r\n"
            writer.write(head.encode() + b"Accept-Ranges: none\r\n\r\n" + (b"" if method == b"HEAD" else body))
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError, ValueError):
        pass
    finally:
        writer.close()


async def main() -> None:
    folder, delay = Path(sys.argv[1]), float(sys.argv[2]) / 1000

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await _serve(reader, writer, folder, delay)

    server = await asyncio.start_server(serve, "127.0.0.1", 0, backlog=512)
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    server.close()


if __name__ == "__main__":
    asyncio.run(main())
