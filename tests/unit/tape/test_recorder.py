from __future__ import annotations

import asyncio
import json
import socket
import ssl
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.client import HTTPConnection, IncompleteRead, RemoteDisconnected
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
import trustme
import uvicorn
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

from claude_magic.errors import TapeError
from claude_magic.masking import MASK
from claude_magic.tape import (
    Conversation,
    Cut,
    Failure,
    Hold,
    MessagesServer,
    OtherBlock,
    Reply,
    Tape,
    TapeTurn,
    Text,
    Thinking,
    ToolUse,
    Usage,
)
from claude_magic.tape.endpoint import messages_endpoint
from claude_magic.tape.places import Places
from claude_magic.tape.recorder import TOKEN_HEADER, Recorder
from claude_magic.tape.recording import Recording, empty_tape
from claude_magic.tape.scrubbing import Scrubbing
from claude_magic.tape.transcription import read_stream
from claude_magic.tape.upstream import Upstream

if TYPE_CHECKING:
    from collections.abc import Iterator
    from http.client import HTTPResponse
    from pathlib import Path

    from claude_magic.tape import MessagesRequest

KEY = "sk-ant-api03-the-users-own-key"


class Api:
    """A far end that is told what to answer, and what it was asked."""

    def __init__(self) -> None:
        self.replies: list[Reply | Failure] = []
        self.server = MessagesServer(self._reply, token=KEY)

    def _reply(self, request: MessagesRequest) -> Reply | Failure:
        return self.replies.pop(0) if self.replies else Reply.of(f"You said: {request.prompt}")


@pytest.fixture
def api() -> Iterator[Api]:
    api = Api()
    with api.server:
        yield api


class Studio:
    """A recorder with its file, and a plain client of it."""

    def __init__(self, api_url: str, folder: Path, tape: Tape | None = None) -> None:
        self.file = folder / "tapes" / "test.yaml"
        self.recording = Recording(
            self.file,
            tape or empty_tape("Test"),
            Scrubbing(Places(folder)),
            "Record it.",
        )
        self.recorder = Recorder(self.recording, Upstream.of({"ANTHROPIC_BASE_URL": api_url}))

    @contextmanager
    def opened(
        self,
        *turns: str | list[dict[str, Any]],
        path: str = "/v1/messages?beta=true",
        headers: dict[str, str] | None = None,
        **fields: Any,
    ) -> Iterator[HTTPResponse]:
        roles = ("user", "assistant")
        messages = [{"role": roles[n % 2], "content": said} for n, said in enumerate(turns)]
        body = {"model": "claude-test", "stream": True, "messages": messages, **fields}
        where = urlsplit(self.recorder.url)
        connection = HTTPConnection(where.hostname or "", where.port, timeout=10)
        known = {TOKEN_HEADER: self.recorder.token, "X-Api-Key": KEY}
        try:
            connection.request(
                "POST", path, json.dumps(body), known if headers is None else headers
            )
            with connection.getresponse() as response:
                yield response
        finally:
            connection.close()

    def say(self, *turns: str | list[dict[str, Any]], **fields: Any) -> str:
        with self.opened(*turns, stream=False, **fields) as response:
            message = json.load(response)
        assert response.status == 200, message
        return "".join(block.get("text", "") for block in message["content"])

    @property
    def turns(self) -> dict[tuple[str, ...], TapeTurn]:
        """The turns of the file."""
        return dict(Tape.load(self.file).turns)


@pytest.fixture
def studio(api: Api, tmp_path: Path) -> Iterator[Studio]:
    studio = Studio(api.server.url, tmp_path)
    with studio.recorder:
        yield studio


def text(value: str) -> dict[str, Any]:
    return {"type": "text", "text": value}


def test_an_answer_is_handed_on_and_taken_down(studio: Studio, api: Api) -> None:
    api.replies = [Reply.of(Thinking("Hm."), "Hello ", Text("Ada."))]
    with studio.opened("I am Ada.") as response:
        streamed = response.read()
    assert response.headers["content-type"].startswith("text/event-stream")
    assert b'"text": "Hello "' in streamed
    assert streamed.endswith(b'message_stop"}\n\n')
    (turn,) = studio.turns.values()
    assert turn.you == "I am Ada."
    assert turn.replies[0].steps == (Thinking("Hm."), Text("Hello "), Text("Ada."))
    assert turn.replies[0].usage is not None
    assert studio.recorder.problems == []


def test_an_answer_in_one_piece_is_taken_down_too(studio: Studio, api: Api) -> None:
    usage = Usage(3, 5, 7, 11)
    api.replies = [Reply((Text("Once"),), "max_tokens", usage)]
    assert studio.say("Tell me.") == "Once"
    assert studio.turns["Tell me.",].replies == (Reply((Text("Once"),), "max_tokens", usage),)


def test_a_block_of_an_unknown_kind_is_played_as_it_was(studio: Studio, api: Api) -> None:
    block = OtherBlock({"type": "server_tool_use", "id": "s", "name": "web", "input": {"q": "x"}})
    api.replies = [Reply.of(block, "Found.")]
    with studio.opened("Search.") as response:
        response.read()
    assert studio.turns["Search.",].replies[0].steps == (block, Text("Found."))


@pytest.mark.parametrize("ending", ["\u2028", "\u0085"])
def test_a_text_may_hold_what_python_takes_for_the_end_of_a_line(ending: str) -> None:
    events = [
        {"type": "message_start", "message": {"usage": {"input_tokens": 1}}},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {
            "type": "content_block_delta",
            "index": 0,
            "delta": {"type": "text_delta", "text": f"One{ending}two"},
        },
        {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {}},
        {"type": "message_stop"},
    ]
    # The API does not escape what JSON need not.
    lines = [f"data: {json.dumps(event, ensure_ascii=False)}\r\n\r\n" for event in events]
    reply = read_stream("".join(lines).encode())
    assert reply is not None
    assert reply.steps == (Text(f"One{ending}two"),)


def test_the_stream_is_not_held_up(studio: Studio, api: Api) -> None:
    gate = threading.Event()
    api.replies = [Reply.of("Hello ", Hold(gate), "Ada.")]
    with studio.opened("I am Ada.") as response:
        while b"Hello " not in response.readline():
            pass
        assert not studio.file.exists()
        gate.set()
        response.read()
    assert studio.file.exists()


def test_without_the_token_nothing_is_forwarded(studio: Studio, api: Api) -> None:
    for headers in ({}, {"X-Api-Key": KEY}, {TOKEN_HEADER: "wrong", "X-Api-Key": KEY}):
        with studio.opened("Hello?", headers=headers) as response:
            assert response.status == 401
        with studio.opened("Hello?", headers=headers, path="/v1/messages/count_tokens") as response:
            assert response.status == 401
    assert api.server.requests == []


def test_the_messages_api_is_forwarded_and_nothing_else(studio: Studio, api: Api) -> None:
    with studio.opened("Hello?", path="/v1/files") as response:
        assert response.status == 404
        assert "forwards no such thing" in json.load(response)["error"]["message"]
    with studio.opened("Hello?", path="/v1/messages/count_tokens") as response:
        assert json.load(response)["input_tokens"] > 0
    assert not studio.file.exists()


def test_no_path_and_no_host_leads_elsewhere(studio: Studio, api: Api) -> None:
    known = {TOKEN_HEADER: studio.recorder.token, "X-Api-Key": KEY}
    for path in ("/v1/messages/", "/v1/messages/../files", "http://else.example/v1/messages"):
        for headers in ({}, known):
            with studio.opened("Hello?", path=path, headers=headers) as response:
                assert response.status == 404
                assert response.headers["location"] is None
    with studio.opened("Hello?", headers={**known, "Host": "else.example/v1/files?"}) as response:
        response.read()
    (request,) = api.server.requests
    assert request.prompt == "Hello?"


def test_headers_are_handed_on_as_they_are(studio: Studio, api: Api) -> None:
    own = "Jürg"
    api.replies = [Failure(500, "api_error", "No.", headers={"x-told": own})]
    known = {TOKEN_HEADER: studio.recorder.token, "X-Api-Key": KEY, "X-Own": own}
    with studio.opened("Hello?", headers=known) as response:
        assert response.status == 500
        assert response.headers["x-told"] == own
    (request,) = api.server.requests
    assert request.headers["x-own"] == own


def test_the_credential_goes_to_the_api_and_the_token_does_not(studio: Studio, api: Api) -> None:
    studio.say("One.")
    bearer = {TOKEN_HEADER: studio.recorder.token, "Authorization": f"Bearer {KEY}", "X-Own": "1"}
    with studio.opened("Two.", headers=bearer) as response:
        response.read()
    keyed, login = api.server.requests
    assert keyed.headers["x-api-key"] == KEY
    assert login.headers["authorization"] == f"Bearer {KEY}"
    assert login.headers["x-own"] == "1"
    assert TOKEN_HEADER not in {*keyed.headers, *login.headers}


def test_no_credential_and_no_folder_is_written(studio: Studio, api: Api, tmp_path: Path) -> None:
    token = "a-gateways-own-token"
    api.replies = [
        Reply.of(f"{token} {KEY} {tmp_path}/a.csv", ToolUse("Read", {"path": f"{tmp_path}/a.csv"})),
        Reply.of("Done."),
    ]
    own = {
        TOKEN_HEADER: studio.recorder.token,
        "X-Api-Key": KEY,
        "Authorization": f"Bearer {token}",
    }
    call = [{"type": "tool_use", "id": "t", "name": "Read", "input": {}}]
    result = {"type": "tool_result", "tool_use_id": "t", "content": f"{tmp_path} password={token}"}
    metadata = {"user_id": "user_account_4711"}
    for turns in (["Look."], ["Look.", call, [result]]):
        with studio.opened(*turns, headers=own, metadata=metadata, system="Be brief.") as response:
            response.read()
    written = studio.file.read_text()
    for trace in (token, KEY, str(tmp_path), "4711", "Be brief"):
        assert trace not in written
    assert "«folder»/a.csv" in written
    assert "Done." in written


def test_the_token_of_the_recording_is_not_written_either(studio: Studio, api: Api) -> None:
    token = studio.recorder.token
    api.replies = [Reply.of(ToolUse("Bash", {"command": "env"}))]
    call = {"type": "tool_use", "id": "t", "name": "Bash", "input": {"command": "env"}}
    shown = f"ANTHROPIC_CUSTOM_HEADERS={TOKEN_HEADER}: {token}"
    result = {"type": "tool_result", "tool_use_id": "t", "content": shown}
    studio.say("Print the environment.")
    studio.say("Print the environment.", [call], [result])
    assert token not in studio.file.read_text()
    (turn,) = studio.turns.values()
    (use,) = turn.replies[0].calls
    assert use.outcome is not None
    assert use.outcome.text.endswith(f"{TOKEN_HEADER}: {MASK}")


def test_what_tools_gave_back_is_taken_down(studio: Studio, api: Api) -> None:
    api.replies = [Reply.of(ToolUse("A"), ToolUse("B")), Reply.of("Seen.")]
    studio.say("Look.")
    calls = [{"type": "tool_use", "id": n, "name": n, "input": {}} for n in "ab"]
    results: list[dict[str, Any]] = [
        {"type": "tool_result", "tool_use_id": "b", "content": "denied", "is_error": True},
        {"type": "tool_result", "tool_use_id": "a", "content": [text("at 0x7fe5558a35d0 in 3 s")]},
    ]
    studio.say("Look.", calls, results)
    first, second = studio.turns["Look.",].replies
    told = [(use.outcome.text, use.outcome.is_error) for use in first.calls if use.outcome]
    assert told == [("at «address» in «duration»", False), ("denied", True)]
    assert second.steps == (Text("Seen."),)


def test_the_same_is_asked_once(studio: Studio, api: Api) -> None:
    gate = threading.Event()
    api.replies = [Reply.of("One ", Hold(gate), "answer.")]
    with ThreadPoolExecutor(4) as pool:
        asked = [pool.submit(studio.say, "Hello?") for _ in range(4)]
        api.server.wait_for_requests(1)
        gate.set()
        assert {each.result() for each in asked} == {"One answer."}
    assert len(api.server.requests) == 1


def test_an_error_is_handed_on_and_not_taken_down(studio: Studio, api: Api) -> None:
    api.replies = [Failure(529, "overloaded_error", "Busy.", {"retry-after": "3"})]
    with studio.opened("Hello?") as response:
        assert response.status == 529
        assert response.headers["retry-after"] == "3"
        assert json.load(response)["error"] == {"type": "overloaded_error", "message": "Busy."}
    assert not studio.file.exists()
    assert studio.say("Hello?") == "You said: Hello?"
    assert len(studio.turns) == 1


def test_a_stream_that_breaks_off_does_so_for_the_client_too(studio: Studio, api: Api) -> None:
    api.replies = [Reply.of("Hel", Cut())]
    with (
        pytest.raises((IncompleteRead, RemoteDisconnected)),
        studio.opened("Hello?") as response,
    ):
        response.read()
    assert not studio.file.exists()
    assert studio.say("Hello?") == "You said: Hello?"


def test_an_answer_that_its_reader_stopped_is_marked_as_such(studio: Studio, api: Api) -> None:
    gate = threading.Event()
    api.replies = [Reply.of("Once", Hold(gate), " upon a time."), Reply.of("Well.")]
    with studio.opened("A story.") as response:
        response.read1()
    gate.set()
    studio.say("A story.", "Once", "[Request interrupted by user]\n\nAnother.")
    stopped, other = studio.turns.values()
    assert stopped.replies == (Reply((Text("Once"),), "interrupted"),)
    assert stopped.replies[0].stopped_because() == "end_turn"
    assert other.replies[0].stop_reason is None
    # What was said before the recording began was nobody's to stop.
    studio.say("Before.", "Yes.", "Since.")
    assert studio.turns["Before.",].replies[0].stop_reason is None


def test_a_client_that_leaves_ends_the_request_at_the_far_end(studio: Studio, api: Api) -> None:
    gate = threading.Event()
    api.replies = [Reply.of("Hel", Hold(gate))]
    with studio.opened("Hello?") as response:
        while b"Hel" not in response.readline():
            pass
    # The next one with the same words waits for the first to be over.
    assert studio.say("Hello?") == "You said: Hello?"
    assert not gate.is_set()


def test_a_far_end_that_is_not_there_is_told(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        studio = Studio(f"http://127.0.0.1:{free.getsockname()[1]}", tmp_path)
        with studio.recorder, studio.opened("Hello?") as response:
            assert response.status == 502
            assert "cannot reach 127.0.0.1" in json.load(response)["error"]["message"]


def test_prompts_that_got_no_answer_are_not_part_of_the_next_one(studio: Studio, api: Api) -> None:
    api.replies = [Failure(500, "api_error", "x")]
    with studio.opened("One.") as response:
        assert response.status == 500
    assert studio.say([text("One."), text("Two."), text("Three.")]) != ""
    assert [turn.you for turn in studio.turns.values()] == ["Two.\n\nThree."]
    # A replay asks the first one in vain, too, and then the same.
    found = Tape.load(studio.file).history((("One.", "Two.", "Three."),))
    assert found == ("Two. Three.",)


def test_conversations_are_kept_apart_and_in_order(studio: Studio) -> None:
    one = studio.say("I am Ada.")
    studio.say("I am Bob.")
    studio.say("I am Ada.", one, "Who am I?")
    studio.say("I am Ada.", one, "Who are you?")
    names = [(each.name, len(each.turns)) for each in Tape.load(studio.file).conversations]
    assert names == [("I am Bob.", 1), ("I am Ada.", 2), ("I am Ada., 2", 2)]


def test_what_was_said_before_the_recording_goes_along(studio: Studio) -> None:
    studio.say("I am Ada.", "Hello Ada.", "Who am I?")
    assert [turn.you for turn in studio.turns.values()] == ["I am Ada.", "Who am I?"]
    assert studio.turns["I am Ada.",].replies[0].steps == (Text("Hello Ada."),)


def test_a_tape_is_added_to_where_the_api_is_asked_for_what_it_lacks(
    api: Api,
    tmp_path: Path,
) -> None:
    turn = TapeTurn("I am Ada.", (Reply.of(Thinking("Hm."), "Hello Ada."),))
    studio = Studio(api.server.url, tmp_path, Tape("Old", (Conversation("names", (turn,)),)))
    with studio.recorder:
        assert studio.say("I am Ada.") == "Hello Ada."
        assert api.server.requests == []
        thought = {"type": "thinking", "thinking": "Hm.", "signature": "c2NyaXB0ZWQ="}
        studio.say("I am Ada.", [thought, text("Hello Ada.")], "Who am I?")
    (request,) = api.server.requests
    assert request.messages[1]["content"] == [text("Hello Ada.")]
    (conversation,) = Tape.load(studio.file).conversations
    assert conversation.name == "names"
    assert [each.you for each in conversation.turns] == ["I am Ada.", "Who am I?"]


def test_a_file_that_cannot_be_written_is_told(studio: Studio, tmp_path: Path) -> None:
    (tmp_path / "tapes").write_text("in the way")
    assert studio.say("Hello?") == "You said: Hello?"
    (told,) = studio.recorder.problems
    assert "could not be taken down" in told


DEEP: dict[str, Any] = {}
for _ in range(80):
    DEEP = {"a": DEEP}


@pytest.mark.parametrize("given", [DEEP, {"a": 10**500}, {"a": float("inf")}])
def test_what_no_tape_can_hold_is_handed_on_and_told(
    given: dict[str, Any], studio: Studio, api: Api
) -> None:
    assert studio.say("Hello?") == "You said: Hello?"
    api.replies = [Reply.of(ToolUse("A", given))]
    with studio.opened("Look.") as response:
        assert b"message_stop" in response.read()
    (told,) = studio.recorder.problems
    assert "could not be taken down: answer:" in told
    # What was recorded before can still be read.
    assert [turn.you for turn in studio.turns.values()] == ["Hello?"]


def test_half_of_a_pair_is_taken_down_as_a_whole_character(studio: Studio, api: Api) -> None:
    api.replies = [Reply.of("\ud83d!")]
    with studio.opened("\udfff?") as response:
        response.read()
    (turn,) = studio.turns.values()
    assert turn.you == "�?"
    assert turn.replies[0].steps == (Text("�!"),)


def test_the_variables_lead_to_the_recorder_beside_what_is_there(studio: Studio) -> None:
    own = {"ANTHROPIC_CUSTOM_HEADERS": "X-Own: 1\n", "no_proxy": "intern.example"}
    variables = studio.recorder.variables(own)
    assert variables == {
        "ANTHROPIC_BASE_URL": studio.recorder.url,
        "ANTHROPIC_CUSTOM_HEADERS": f"X-Own: 1\n{TOKEN_HEADER}: {studio.recorder.token}",
        "NO_PROXY": "intern.example,127.0.0.1",
        "no_proxy": "intern.example,127.0.0.1",
    }


@pytest.mark.parametrize(
    ("environ", "told"),
    [
        ({"CLAUDE_CODE_USE_BEDROCK": "1"}, "CLAUDE_CODE_USE_BEDROCK is set"),
        ({"ANTHROPIC_BASE_URL": "ftp://x"}, "'ftp://x' is no http or https URL"),
        ({"ANTHROPIC_BASE_URL": "http://[::1"}, r"'http://\[::1' is no http or https URL"),
        (
            {"ANTHROPIC_BASE_URL": "ftp://ada:lovelace@x"},
            f"'ftp://ada:{MASK}@x' is no http or https URL",
        ),
    ],
)
def test_where_nothing_can_be_recorded_it_is_said(environ: dict[str, str], told: str) -> None:
    with pytest.raises(TapeError, match=told):
        Upstream.of(environ)


@pytest.mark.parametrize(
    "variable",
    ["NODE_EXTRA_CA_CERTS", "CLAUDE_CODE_CLIENT_CERT"],
)
def test_a_certificate_that_is_not_there_is_told_at_the_start(
    variable: str,
    tmp_path: Path,
) -> None:
    recording = Studio("http://127.0.0.1:1", tmp_path).recording
    recorder = Recorder(recording, Upstream.of({variable: str(tmp_path / "none.pem")}))
    with pytest.raises(TapeError, match="The recording cannot reach https"):
        recorder.start()
    recorder.stop()


def test_a_gateways_password_is_not_told(tmp_path: Path) -> None:
    environ = {
        "ANTHROPIC_BASE_URL": "https://ada:lovelace@x",
        "NODE_EXTRA_CA_CERTS": str(tmp_path / "none.pem"),
    }
    with pytest.raises(TapeError, match=f"cannot reach https://ada:{MASK}@x"):
        Upstream.of(environ).client()


def test_a_key_with_a_passphrase_is_opened_with_it_and_nobody_is_asked(tmp_path: Path) -> None:
    certificate = trustme.CA().issue_cert("localhost")
    whole, key = tmp_path / "client.pem", tmp_path / "client.key"
    certificate.cert_chain_pems[0].write_to_path(str(whole))
    private = load_pem_private_key(certificate.private_key_pem.bytes(), None)
    locked = BestAvailableEncryption(b"open sesame")
    key.write_bytes(private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, locked))
    environ = {"CLAUDE_CODE_CLIENT_CERT": str(whole), "CLAUDE_CODE_CLIENT_KEY": str(key)}
    with pytest.raises(TapeError, match="The recording cannot reach https"):
        Upstream.of(environ).client()
    Upstream.of({**environ, "CLAUDE_CODE_CLIENT_KEY_PASSPHRASE": "open sesame"}).client()


def test_the_default_is_the_api_itself() -> None:
    assert Upstream.of({}).url == "https://api.anthropic.com"


# -- TLS, and proxies on the way -------------------------------------------------------------------


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def secure_url(authority: trustme.CA, tmp_path: Path) -> Iterator[str]:
    """Serve the Messages API behind TLS, as a gateway with a path of its own."""
    certificate = authority.issue_cert("localhost")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    started = threading.Event()
    listening = socket.create_server(("127.0.0.1", 0))

    class Server(uvicorn.Server):
        async def main_loop(self) -> None:
            started.set()
            await super().main_loop()

    app = messages_endpoint(
        KEY, lambda request: Reply.of(f"Safe: {request.prompt}"), asyncio.Event()
    )
    config = uvicorn.Config(app, lifespan="off", log_config=None, root_path="")
    config.load()
    config.ssl = context
    server = Server(config)
    thread = threading.Thread(target=server.run, args=([listening],))
    thread.start()
    started.wait(10)
    yield f"https://localhost:{listening.getsockname()[1]}"
    server.should_exit = True
    thread.join()


def test_the_far_end_may_be_behind_tls(
    secure_url: str,
    authority: trustme.CA,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("NO_PROXY", "localhost")
    trusted = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(trusted))
    studio = Studio(secure_url, tmp_path)
    with studio.recorder, studio.opened("Hello?") as response:
        assert response.status == 502
        assert "certificate" in json.load(response)["error"]["message"]
    environ = {"ANTHROPIC_BASE_URL": secure_url, "NODE_EXTRA_CA_CERTS": str(trusted)}
    studio.recorder = Recorder(studio.recording, Upstream.of(environ))
    with studio.recorder:
        assert studio.say("Hello?") == "Safe: Hello?"


class Tunnel(threading.Thread):
    """An HTTP proxy that connects, and notes to where."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        self.asked = ""

    def run(self) -> None:
        client, _ = self.socket.accept()
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += client.recv(1)
        self.asked = head.decode().splitlines()[0]
        host, _, port = self.asked.split()[1].partition(":")
        far = socket.create_connection((host, int(port)))
        client.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        back = threading.Thread(target=self._pump, args=(far, client), daemon=True)
        back.start()
        self._pump(client, far)
        back.join()
        client.close()
        far.close()

    @staticmethod
    def _pump(source: socket.socket, target: socket.socket) -> None:
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)


def test_a_proxy_of_the_environment_is_used_for_the_far_end(
    secure_url: str,
    authority: trustme.CA,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    trusted = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(trusted))
    tunnel = Tunnel()
    tunnel.start()
    monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{tunnel.port}")
    monkeypatch.setenv("SSL_CERT_FILE", str(trusted))
    studio = Studio(secure_url, tmp_path)
    with studio.recorder:
        assert studio.say("Hello?") == "Safe: Hello?"
    tunnel.join(10)
    tunnel.socket.close()
    assert tunnel.asked == f"CONNECT {urlsplit(secure_url).netloc} HTTP/1.1"
