"""A process that follows sessions for the benchmark of the streams: `PORT TOKEN SESSION…`, until a line comes in."""

import asyncio
import json
import sys
import time


async def read_streams(port, secret, session_ids):
    """Follow all sessions until the other side ends; print when each event arrived, as [session, number, time]."""
    heard, opened = [], asyncio.Event()
    waiting = set(session_ids)

    async def follow(session_id):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        head = f"GET /api/v1/coach/sessions/{session_id}/events HTTP/1.1\r\nHost: 127.0.0.1\r\n"
        writer.write(f"{head}Accept: text/event-stream\r\nAuthorization: Bearer {secret}\r\n\r\n".encode())
        while line := await reader.readline():
            if line.startswith(b"id: "):
                heard.append((session_id, int(line[4:]), time.monotonic()))
            elif line == b"\r\n":
                waiting.discard(session_id)
                if not waiting:
                    opened.set()

    tasks = [asyncio.create_task(follow(session_id)) for session_id in session_ids]
    await opened.wait()
    print("open", flush=True)
    await asyncio.to_thread(sys.stdin.readline)
    for task in tasks:
        task.cancel()
    print(json.dumps(heard))


if __name__ == "__main__":
    asyncio.run(read_streams(int(sys.argv[1]), sys.argv[2], sys.argv[3:]))
