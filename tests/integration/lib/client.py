"""A client of event streams with aiohttp or httpx: what one writes around a library that only knows HTTP.

client.py LIBRARY URL; prints each event as a line of JSON, [name, data, id].
"""

import asyncio
import json
import sys

import aiohttp
import httpx

SILENCE_S = 45  # three heartbeats: nothing for so long means that the connection is dead


async def lines_by_aiohttp(url, headers):
    timeout = aiohttp.ClientTimeout(total=None, connect=10, sock_read=SILENCE_S)
    # A line is as long as a row: read_bufsize bounds it.
    async with aiohttp.ClientSession(timeout=timeout, read_bufsize=2**24) as session:
        async with session.get(url, headers=headers, raise_for_status=True) as response:
            async for line in response.content:
                yield line.decode().rstrip("\n")


async def lines_by_httpx(url, headers):
    async with httpx.AsyncClient(timeout=httpx.Timeout(10, read=SILENCE_S)) as client:
        async with client.stream("GET", url, headers=headers) as response:
            response.raise_for_status()
            async for line in response.aiter_lines():
                yield line.rstrip("\n")


async def events(lines_of, url):
    last_id, retry_s = "", 2.0
    while True:
        try:
            name, data = "message", []
            async for line in lines_of(url, {"Last-Event-ID": last_id} if last_id else {}):
                field, _, value = line.partition(":")
                value = value.removeprefix(" ")
                if field == "id":
                    last_id = value
                elif field == "event":
                    name = value
                elif field == "data":
                    data.append(value)
                elif field == "retry" and value.isdigit():
                    retry_s = int(value) / 1000
                elif line == "":
                    if data:
                        yield name, "\n".join(data), last_id
                    name, data = "message", []
        except (aiohttp.ClientError, httpx.HTTPError, asyncio.TimeoutError):
            pass  # whatever it was: once more, from where we were
        await asyncio.sleep(retry_s)


async def main():
    library, url = sys.argv[1:]
    async for event in events({"aiohttp": lines_by_aiohttp, "httpx": lines_by_httpx}[library], url):
        print(json.dumps(event), flush=True)


asyncio.run(main())
