"""The fake service: a process of its own on loopback that answers as the real service does, or fails on request.

    def test_an_answer(service):                         # the fixture of tests/conftest.py
        service.script(tool_calls(("get_weather", {"city": "Oslo"})), text("Cold."))
        ...                                              # point your code at service.base_url, with any key
        first, second = service.requests()
        assert second["body"]["input"][-1]["type"] == "function_call_output"

It speaks `POST /v1/responses`, WebSocket at the same address, and `POST /v1/chat/completions`. Each request takes the
next step of the one script (`steps.py` builds them); when there is none left the answer is the text "ok". Requests are
checked first, as the real service would (`checks.py`), and a refused one takes no step. `generate: false` takes none
either, but where `service.warm_up` says otherwise.

Upgrades have a script of their own, so that they fail apart from responses:

    service.script_upgrades(http_error(426), upgrade(then=closed(1011)))
    service.connections()                                # how each was answered and how it ended

So have traces, at `POST /v1/traces/ingest`: `service.script_ingests(http_error(500))`, `service.traced()`.

`service.key` is the only key accepted where it is set, `service.models` the only models; without `service.stores`
nothing outlives its connection. `service.wait_for_requests` and `wait_for_connections` wait for what a client does on
its own time: sending, or hanging up.

`answers.py` and `chat.py` make events and know no transport, `history.py` is what they continue, `endpoints.py` says
what is served where. `play.py` plays a step on what carries it: `http_answer.py` or `websocket.py`. `http.py` and
`upgrade.py` are the connections, `control.py` is the tests' door, `client.py` their side of it.
"""
