"""The writer: real pipes and terminals, a reader that is slow, a reader that leaves, a disk that is full."""

import asyncio
import errno
import os
import pty
import threading
import time
import tracemalloc
import tty
from collections.abc import Iterator
from contextlib import suppress

import pytest

from agentctl.redaction import register_secret
from agentctl.render.writer import Writer


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    read, write = os.pipe()
    yield read, write
    for descriptor in (read, write):
        with suppress(OSError):
            os.close(descriptor)


@pytest.fixture
def null() -> Iterator[int]:
    descriptor = os.open(os.devnull, os.O_WRONLY)
    yield descriptor
    os.close(descriptor)


@pytest.fixture
def terminal() -> Iterator[tuple[int, int]]:
    leader, follower = pty.openpty()
    tty.setraw(follower)
    yield leader, follower
    os.close(leader)
    os.close(follower)


class Reader:
    """Reads a descriptor to its end, on a thread."""

    def __init__(self, descriptor: int, *, pause: float = 0, keep: bool = True) -> None:
        self.data = bytearray()
        self.size = 0
        self._thread = threading.Thread(target=self._read, args=(descriptor, pause, keep), daemon=True)
        self._thread.start()

    def _read(self, descriptor: int, pause: float, keep: bool) -> None:
        while chunk := os.read(descriptor, 1 << 16):
            self.size += len(chunk)
            if keep:
                self.data += chunk
            if pause:
                time.sleep(pause)

    def join(self) -> bytes:
        self._thread.join(60)
        return bytes(self.data)


def test_text_arrives_in_order_on_both_streams(null: int) -> None:
    read, write = os.pipe()

    async def scenario() -> None:
        async with Writer(stdout=write, stderr=write) as writer:
            await writer.out("one ")
            await writer.err("two ")
            await writer.out("drei ü 世\n")

    asyncio.run(scenario())
    os.close(write)
    assert Reader(read).join().decode() == "one two drei ü 世\n"
    os.close(read)


def test_a_slow_reader_gets_everything_in_bounded_memory(pipe: tuple[int, int], null: int) -> None:
    read, write = pipe
    line = "x" * 99_999 + "\n"
    reader = Reader(read, keep=False)

    async def scenario() -> int:
        async with Writer(stdout=write, stderr=null) as writer:
            tracemalloc.start()
            for _ in range(1000):
                await writer.out(line)
            await writer.drain()
            peak = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
        return peak

    peak = asyncio.run(scenario())
    os.close(write)
    reader.join()
    assert reader.size == 100_000_000
    assert peak < 4 << 20


def test_a_full_buffer_suspends_the_caller_and_not_the_event_loop(pipe: tuple[int, int], null: int) -> None:
    read, write = pipe

    async def scenario() -> None:
        writer = Writer(stdout=write, stderr=null, capacity=1000)

        async def fill() -> None:
            while True:
                await writer.out("x" * 100_000)

        filling = asyncio.create_task(fill())
        for _ in range(100):
            await asyncio.sleep(0)
        assert not filling.done()
        filling.cancel()
        assert await writer.aclose(timeout=0.05) is False
        os.close(read)  # Frees the thread.

    asyncio.run(scenario())


def test_a_reader_that_leaves_raises_broken_pipe_from_then_on(pipe: tuple[int, int], null: int) -> None:
    read, write = pipe

    async def scenario() -> None:
        async with Writer(stdout=write, stderr=null) as writer:
            await writer.out("first\n")
            await writer.drain()
            os.close(read)
            await writer.wait_broken()
            for _ in range(2):
                with pytest.raises(BrokenPipeError):
                    await writer.out("third\n")
            with pytest.raises(BrokenPipeError):
                await writer.drain()

    asyncio.run(scenario())


def test_a_reader_that_leaves_is_noticed_although_nothing_is_written(pipe: tuple[int, int], null: int) -> None:
    read, write = pipe

    async def scenario() -> None:
        async with Writer(stdout=write, stderr=null) as writer:
            watch = asyncio.create_task(writer.wait_broken())
            await writer.out("first\n")
            await writer.drain()
            assert not watch.done()
            os.close(read)
            await watch

    asyncio.run(scenario())


def test_a_reader_that_leaves_frees_a_caller_that_waits_for_room(pipe: tuple[int, int], null: int) -> None:
    read, write = pipe

    async def scenario() -> None:
        async with Writer(stdout=write, stderr=null, capacity=1000) as writer:

            async def fill() -> None:
                while True:
                    await writer.out("x" * 100_000)

            filling = asyncio.create_task(fill())
            await asyncio.sleep(0)
            os.close(read)
            with pytest.raises(BrokenPipeError):
                await filling

    asyncio.run(scenario())


def test_what_goes_wrong_on_stderr_is_swallowed(pipe: tuple[int, int], null: int) -> None:
    read, write = pipe
    os.close(read)

    async def scenario() -> None:
        async with Writer(stdout=null, stderr=write) as writer:
            for _ in range(3):
                await writer.err("note\n")
                await writer.drain()
            await writer.out("data\n")
            await writer.drain()

    asyncio.run(scenario())


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
def test_a_full_disk_is_raised_as_it_is() -> None:
    full = os.open("/dev/full", os.O_WRONLY)

    async def scenario() -> None:
        async with Writer(stdout=full, stderr=full) as writer:
            await writer.err("swallowed\n")
            await writer.out("lost\n")
            with pytest.raises(OSError, match="No space left") as caught:
                await writer.drain()
            assert caught.value.errno == errno.ENOSPC

    asyncio.run(scenario())
    os.close(full)


def test_a_pipe_that_does_not_block_gets_everything(pipe: tuple[int, int], null: int) -> None:
    read, write = pipe
    os.set_blocking(write, False)
    reader = Reader(read, pause=0.001)

    async def scenario() -> None:
        async with Writer(stdout=write, stderr=null) as writer:
            for number in range(20_000):
                await writer.out(f"{number:0100d}\n")
            await writer.drain()

    asyncio.run(scenario())
    os.close(write)
    assert reader.join() == b"".join(b"%0100d\n" % number for number in range(20_000))


def test_halves_of_characters_are_replaced(pipe: tuple[int, int], null: int) -> None:
    read, write = pipe

    async def scenario() -> None:
        async with Writer(stdout=write, stderr=null) as writer:
            await writer.out("a\ud83db\n")

    asyncio.run(scenario())
    assert os.read(read, 100).decode() == "a\ufffdb\n"


def test_secrets_are_hidden_on_stderr_and_data_is_left_alone(pipe: tuple[int, int], null: int) -> None:
    read, write = pipe
    register_secret("sk-writer-test")

    async def scenario() -> None:
        async with Writer(stdout=null, stderr=write) as writer:
            await writer.err("key sk-writer-test\n")
        async with Writer(stdout=write, stderr=null) as writer:
            await writer.out("key sk-writer-test\n")

    asyncio.run(scenario())
    assert os.read(read, 100).decode() == "key [redacted]\nkey sk-writer-test\n"


def test_closing_gives_up_on_a_pipe_that_nobody_reads(pipe: tuple[int, int], null: int) -> None:
    read, write = pipe

    async def scenario() -> bool:
        writer = Writer(stdout=write, stderr=null)
        await writer.out("x" * 500_000)
        return await writer.aclose(timeout=0.05)

    assert asyncio.run(scenario()) is False
    os.close(read)


def test_the_live_line_is_drawn_while_idle_and_erased_before_text(terminal: tuple[int, int]) -> None:
    leader, follower = terminal

    async def scenario() -> bytes:
        seen = b""
        async with Writer(stdout=follower, stderr=follower, live=True) as writer:
            writer.status("waiting for a model")
            while b"waiting for a model" not in seen:
                seen += await asyncio.to_thread(os.read, leader, 4096)
            await writer.out("answer\n")
            while b"answer" not in seen:
                seen += await asyncio.to_thread(os.read, leader, 4096)
            writer.status(None)
        return seen

    seen = asyncio.run(scenario()).decode()
    before = seen[: seen.index("answer")]
    assert before.endswith("\r\x1b[K")
    assert "⠙ waiting for a model" in before


def test_the_live_line_never_draws_over_an_unfinished_line(terminal: tuple[int, int]) -> None:
    leader, follower = terminal

    async def scenario() -> None:
        async with Writer(stdout=follower, stderr=follower, live=True) as writer:
            await writer.out("half a line")
            writer.status("waiting")
            await asyncio.sleep(0.3)

    asyncio.run(scenario())
    assert os.read(leader, 4096) == b"half a line"


def test_without_a_live_terminal_there_is_no_live_line(pipe: tuple[int, int], null: int) -> None:
    read, write = pipe

    async def scenario() -> None:
        async with Writer(stdout=null, stderr=write) as writer:
            writer.status("waiting")
            await writer.err("note\n")

    asyncio.run(scenario())
    assert os.read(read, 100) == b"note\n"
