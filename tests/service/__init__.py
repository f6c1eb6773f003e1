"""The fake Responses service: a process of its own on loopback that answers as the real service does, or fails as told.

    def test_an_answer(service):                         # the fixture of tests/conftest.py
        service.script(tool_calls(("get_weather", {"city": "Oslo"})), text("Cold."))
        ...                                              # point your code at service.base_url, with any key
        first, second = service.requests()
        assert second["body"]["input"][-1]["type"] == "function_call_output"

Each `POST /v1/responses` takes the next step of the script (`steps.py` builds them); when there is none left the answer
is the text "ok". Requests are checked first, as the real service would (`checks.py`), and a refused one takes no step.
`service.key` is the only key accepted where it is set, `service.models` the only models. `service.wait_for_requests`
waits for what a client does on its own time: sending a request, or hanging up.

`answers.py` makes response events and knows no transport; `http.py` sends them over HTTP; `client.py` is the test's
side.
"""
