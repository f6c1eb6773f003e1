import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from agentctl.errors import AuthenticationError
from agentctl.models.responses.planner import Chain, Delta, Full, chain_after
from agentctl.models.responses.pool import RETIREMENT_SECONDS, Lease, SocketRequest, WebSocketPool
from agentctl.net.endpoint import Endpoint
from agentctl.net.options import HttpOptions
from agentctl.net.websocket import UpgradeFailed, WebSocketPipe
from tests.service import steps
from tests.service.client import Service

USER = {"role": "user", "content": "hi"}
CALL = {"type": "function_call", "call_id": "c1", "name": "f", "arguments": "{}"}
OUTPUT = {"type": "function_call_output", "call_id": "c1", "output": "1"}
MESSAGE = {"type": "message", "role": "assistant", "content": []}


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def body(*items: Any) -> dict[str, Any]:
    return {"model": "gpt-x", "input": list(items)}


def chain(*items: Any) -> Chain:
    """Return the chain whose request was all of `items` but the last, and whose response was that one."""
    made = chain_after(body(*items[:-1]), {"id": f"resp_{len(items)}", "output": [items[-1]]})
    assert made is not None
    return made


def wanted(*items: Any, headers: dict[str, str] | None = None, is_new: bool = False) -> SocketRequest:
    return SocketRequest(body=body(*(items or (USER,))), headers=headers or {}, is_new=is_new)


def run(
    service: Service,
    scenario: Callable[[WebSocketPool], Awaitable[None]],
    *,
    limit: int = 8,
    clock: Clock | None = None,
) -> None:
    endpoint = Endpoint(base_url=service.base_url, key="sk-of-this-test")
    pool = WebSocketPool(WebSocketPipe(endpoint, HttpOptions(), environ={}), limit=limit, clock=clock or Clock())

    async def closed() -> None:
        await scenario(pool)
        await pool.aclose()

    asyncio.run(closed())


async def leases(pool: WebSocketPool, count: int) -> list[Lease]:
    return [await pool.lease(wanted()) for _ in range(count)]


def test_a_socket_that_was_given_back_is_lent_again(service: Service) -> None:
    async def scenario(pool: WebSocketPool) -> None:
        first = await pool.lease(wanted())
        assert not first.is_reused
        first.release(None)
        second = await pool.lease(wanted())
        assert (second.is_reused, second.socket is first.socket) == (True, True)

    run(service, scenario)


def test_the_idle_socket_whose_history_matches_longest_is_chosen(service: Service) -> None:
    async def scenario(pool: WebSocketPool) -> None:
        short, long, other = await leases(pool, 3)
        short.release(chain(USER, MESSAGE))
        long.release(chain(USER, MESSAGE, USER, MESSAGE))
        other.release(chain(USER, MESSAGE, {"role": "user", "content": "other"}, MESSAGE))
        lease = await pool.lease(wanted(USER, MESSAGE, USER, MESSAGE, USER))
        assert lease.socket is long.socket
        assert lease.plan == Delta("resp_4", 4)

    run(service, scenario)


def test_a_history_that_awaits_a_tool_is_left_alone_while_there_is_room(service: Service) -> None:
    async def scenario(pool: WebSocketPool) -> None:
        awaiting, done = await leases(pool, 2)
        awaiting.release(chain(USER, CALL))
        done.release(chain(USER, MESSAGE))
        assert (await pool.lease(wanted())).socket is done.socket
        assert not (await pool.lease(wanted())).is_reused
        lease = await pool.lease(wanted(USER, CALL, OUTPUT))
        assert lease.socket is awaiting.socket

    run(service, scenario)


def test_another_agent_that_goes_on_with_a_history_takes_its_socket(service: Service) -> None:
    async def scenario(pool: WebSocketPool) -> None:
        desk, other = await leases(pool, 2)
        desk.release(chain(USER, CALL))
        other.release(chain(USER, {**CALL, "call_id": "c2"}))
        taken_over = SocketRequest(body=body(USER, CALL, OUTPUT) | {"instructions": "Refund."})
        lease = await pool.lease(taken_over)
        assert (lease.socket is desk.socket, lease.plan, lease.is_replacement) == (True, Full(), False)
        assert not (await pool.lease(taken_over)).is_reused

    run(service, scenario)


def test_without_room_the_history_that_was_used_least_recently_goes(service: Service) -> None:
    async def scenario(pool: WebSocketPool) -> None:
        older, newer = await leases(pool, 2)
        older.release(chain(USER, CALL))
        newer.release(chain({"role": "user", "content": "other"}, CALL))
        lease = await pool.lease(wanted())
        assert lease.socket is older.socket
        assert lease.plan == Full()

    run(service, scenario, limit=2)


def test_a_socket_with_other_headers_makes_room(service: Service) -> None:
    async def scenario(pool: WebSocketPool) -> None:
        first = await pool.lease(wanted(headers={"x-trace": "1"}))
        first.release(None)
        second = await pool.lease(wanted(headers={"x-trace": "2"}))
        assert not second.is_reused
        assert not first.socket.is_ready

    run(service, scenario, limit=1)
    assert len(service.connections()) == 2


def test_a_new_socket_is_opened_for_who_wants_one(service: Service) -> None:
    async def scenario(pool: WebSocketPool) -> None:
        first = await pool.lease(wanted())
        first.release(None)
        assert not (await pool.lease(wanted(is_new=True))).is_reused

    run(service, scenario)


def test_at_the_limit_who_came_first_is_served_first(service: Service) -> None:
    served: list[int] = []

    async def scenario(pool: WebSocketPool) -> None:
        async def wait(number: int) -> None:
            lease = await pool.lease(wanted())
            served.append(number)
            lease.release(None)

        held = await leases(pool, 2)
        waiting = [asyncio.create_task(wait(number)) for number in range(5)]
        await asyncio.sleep(0.05)
        assert served == []
        held[0].release(None)
        late = asyncio.create_task(wait(5))
        await asyncio.gather(*waiting, late)

    run(service, scenario, limit=2)
    assert served == [0, 1, 2, 3, 4, 5]
    assert len(service.connections()) == 2


def test_who_stops_waiting_takes_no_place(service: Service) -> None:
    async def scenario(pool: WebSocketPool) -> None:
        held = await pool.lease(wanted())
        waiting = asyncio.create_task(pool.lease(wanted()))
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        held.release(None)
        assert (await pool.lease(wanted())).socket is held.socket

    run(service, scenario, limit=1)


def test_a_socket_that_cannot_be_opened_takes_no_place(service: Service) -> None:
    service.script_upgrades(steps.http_error(503), steps.http_error(401))

    async def scenario(pool: WebSocketPool) -> None:
        with pytest.raises(UpgradeFailed):
            await pool.lease(wanted())
        with pytest.raises(AuthenticationError):
            await pool.lease(wanted())
        await pool.lease(wanted())

    run(service, scenario, limit=1)


def test_a_socket_retires_before_the_service_ends_it(service: Service) -> None:
    clock = Clock()

    async def scenario(pool: WebSocketPool) -> None:
        first = await pool.lease(wanted())
        first.release(chain(USER, CALL))
        clock.now = RETIREMENT_SECONDS - 1
        young = await pool.lease(wanted(USER, CALL, OUTPUT))
        assert young.socket is first.socket
        young.release(chain(USER, CALL))
        clock.now = RETIREMENT_SECONDS
        lease = await pool.lease(wanted(USER, CALL, OUTPUT))
        assert (lease.is_reused, lease.plan, lease.is_replacement) == (False, Full(), True)
        assert not first.socket.is_ready

    run(service, scenario, clock=clock)
    assert RETIREMENT_SECONDS < 60 * 60


def test_a_dead_socket_is_replaced_and_that_it_knew_more_is_told(service: Service) -> None:
    async def scenario(pool: WebSocketPool) -> None:
        first, second = await leases(pool, 2)
        first.release(chain(USER, CALL))
        second.release(None)
        first.socket.abort()
        lease = await pool.lease(wanted(USER, CALL, OUTPUT))
        assert (lease.socket is second.socket, lease.is_replacement) == (True, True)

    run(service, scenario)


def test_a_lease_ends_once(service: Service) -> None:
    async def scenario(pool: WebSocketPool) -> None:
        first = await pool.lease(wanted())
        first.release(None)
        first.release(None)
        first.drop()
        assert (await pool.lease(wanted())).socket is first.socket
        assert not (await pool.lease(wanted())).is_reused

    run(service, scenario, limit=2)


def test_a_dropped_socket_is_gone_without_a_word(service: Service) -> None:
    async def scenario(pool: WebSocketPool) -> None:
        (await pool.lease(wanted())).drop()
        assert not (await pool.lease(wanted())).is_reused

    run(service, scenario)
    ended = service.wait_for_connections(2, ended=2)[0]["ended"]
    assert (ended["by"], ended["code"]) == ("client", 1006)


def test_closing_closes_idle_sockets_as_the_protocol_wants_and_breaks_off_the_others(service: Service) -> None:
    async def scenario(pool: WebSocketPool) -> None:
        idle, busy = await leases(pool, 2)
        idle.release(None)
        await pool.aclose()
        assert not busy.socket.is_ready
        busy.drop()
        assert not (await pool.lease(wanted())).is_reused

    run(service, scenario)
    codes = [connection["ended"]["code"] for connection in service.wait_for_connections(3, ended=2)[:2]]
    assert codes == [1000, 1006]


def test_closing_a_pool_that_was_not_used_does_nothing(service: Service) -> None:
    async def scenario(pool: WebSocketPool) -> None:
        await pool.aclose()

    run(service, scenario)


def test_an_event_loop_gets_no_socket_of_another(service: Service) -> None:
    endpoint = Endpoint(base_url=service.base_url, key="sk-of-this-test")
    pool = WebSocketPool(WebSocketPipe(endpoint, HttpOptions(), environ={}))

    async def scenario() -> bool:
        lease = await pool.lease(wanted())
        lease.release(None)
        return lease.is_reused

    assert [asyncio.run(scenario()), asyncio.run(scenario())] == [False, False]
    service.wait_for_connections(2, ended=2)
