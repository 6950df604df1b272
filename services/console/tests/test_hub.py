"""Live events reach every listener, and a slow one is told to read all again."""

from __future__ import annotations

import asyncio

from lamplight_console.hub import Hub


def test_events_reach_every_listener() -> None:
    """Two streams hear the same event."""

    async def main() -> None:
        hub = Hub()
        hub.open(asyncio.get_running_loop())
        streams = [hub.listen(), hub.listen()]
        for stream in streams:
            assert "hello" in await anext(stream)
        hub.tell("alert", {"n": 1})
        assert [await anext(stream) for stream in streams] == ['event: alert\ndata: {"n":1}\n\n'] * 2

    asyncio.run(main())


def test_a_slow_listener_is_told_so() -> None:
    """A queue that is full is emptied: the stream hears `lagged`, then the newest."""

    async def main() -> None:
        hub = Hub()
        hub.open(asyncio.get_running_loop())
        stream = hub.listen()
        await anext(stream)
        for number in range(257):
            hub.tell("alert", {"n": number})
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert "lagged" in await anext(stream)
        assert '"n":256' in await anext(stream)

    asyncio.run(main())
