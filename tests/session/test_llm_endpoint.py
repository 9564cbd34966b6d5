"""A language model's server may do what it likes: the composed answer stands, and no key is shown."""

import http.server
import json
import logging
import threading
import time

import pytest
from scenes import discs, on_the_floor  # noqa: F401

import micro_nb as mnb
from micro_nb.session import Understood
from micro_nb.session.llm import ChatError, Endpoint, Message

COUNT, COMPOSED = 'count("nucleus")', "I count 8 nuclei."
KEY = "sk-very-secret"


def completion(content=None, calls=()):
    listed = [{"id": f"c{k}", "type": "function", "function": f} for k, f in enumerate(calls)]
    message = {"role": "assistant", "content": content} | ({"tool_calls": listed} if listed else {})
    return json.dumps({"choices": [{"message": message}]}).encode()


class _Server(http.server.BaseHTTPRequestHandler):
    """Answers each request with the next of ``server.answers``: bytes, ``(status, headers, bytes)``, or a function."""

    def do_POST(self):
        server = self.server
        body = self.rfile.read(int(self.headers["Content-Length"]))
        server.asked.append((self.path, dict(self.headers), json.loads(body)))
        answer = server.answers[min(len(server.asked), len(server.answers)) - 1]
        if callable(answer):
            return answer(self)
        status, headers, data = answer if isinstance(answer, tuple) else (200, {}, answer)
        self.send_response(status)
        for name, value in {"Content-Length": str(len(data)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_POST

    def log_message(self, *args):
        pass


class _Listener(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request, client_address):
        """A client that hangs up is no matter here."""


@pytest.fixture
def server():
    listening = _Listener(("127.0.0.1", 0), _Server)
    listening.asked, listening.answers = [], [b""]
    listening.url = f"http://127.0.0.1:{listening.server_address[1]}/v1"
    threading.Thread(target=listening.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    yield listening
    listening.shutdown()
    listening.server_close()


@pytest.fixture
def ask(server, monkeypatch):
    monkeypatch.setattr("micro_nb.session.llm.endpoint._PAUSE_S", 0.01)

    def told(*answers, question=COUNT, **kwargs):
        server.asked.clear()
        server.answers = list(answers)
        chat = mnb.Session(
            discs(pixel_size=0.5), llm=Endpoint(server.url, "some-model", **{"timeout_s": 2.0, **kwargs}), log=False
        )
        return chat, chat.ask(question)

    return told


@pytest.fixture
def lost(monkeypatch):
    """A reader that understands nothing, so that the model chooses what to measure."""
    monkeypatch.setattr("micro_nb.session.session.understand", lambda question, before=(): Understood((), 0.0))


def measuring(expression):
    return {"name": "measure", "arguments": json.dumps({"expression": expression})}


def test_a_server_words_and_measures(ask, server, lost):
    calls = [measuring(COUNT), measuring('stat("area", "median", "nucleus")')]
    _, answer = ask(completion(None, calls), completion("There are {e1.value} nuclei with a median area of {e2.value} µm²."))
    assert answer.text.startswith("There are 8 nuclei with a median area of 36.2 µm².")
    assert answer.worded_by == "some-model"
    path, _, body = server.asked[0]
    assert path == "/v1/chat/completions"
    assert (body["model"], body["temperature"], body["stream"]) == ("some-model", 0, False)
    assert {t["type"] for t in body["tools"]} == {"function"}
    assert [m["role"] for m in server.asked[1][2]["messages"]] == ["system", "user", "assistant", "tool", "tool"]
    assert server.asked[1][2]["messages"][3]["tool_call_id"] == "c0"


def test_an_address_with_a_model_is_enough(server):
    server.answers = [completion("Of nuclei I count {e1.value}.")]
    assert mnb.Session(discs(), llm=f"{server.url}#llama3", log=False).ask(COUNT).worded_by == "llama3"
    assert server.asked[0][2]["model"] == "llama3"
    assert "Authorization" not in server.asked[0][1]


def test_nothing_is_sent_before_a_question_nor_for_what_needs_no_words(server):
    chat = mnb.Session(discs(), llm=Endpoint(server.url, "m"), log=False)
    chat.ask('decline("diagnosis")')
    chat.ask('stat("diameter", "mean", "nucleus", unit="um")')
    assert not server.asked


def _drip(handler):
    handler.send_response(200)
    handler.end_headers()
    for _ in range(100):
        handler.wfile.write(b" ")
        handler.wfile.flush()
        time.sleep(0.05)


def _sleep(handler):
    time.sleep(3)


def _endless(handler):
    handler.send_response(200)
    handler.end_headers()
    while True:
        handler.wfile.write(b"x" * 65536)


def _cut(handler):
    handler.send_response(200)
    handler.send_header("Content-Length", "1000")
    handler.end_headers()
    handler.wfile.write(completion("There are {e1.value}")[:40])


ENDLESS = completion(None, [measuring(COUNT)])


@pytest.mark.parametrize(
    "answer",
    [
        b"", b"\xff\xfe garbage", b"null", b"[]", b"[" * 100_000, b'{"choices": []}', b'{"choices": [{"message": null}]}',
        b'{"choices": [{"message": {"content": 5}}]}', b'{"choices": [{"message": {"content": ["x"]}}]}',
        b'{"choices": "no"}', completion("There are {e1.value} nuclei.")[:-8],
        b'{"choices": [{"message": {"tool_calls": "count"}}]}', b'{"choices": [{"message": {"tool_calls": [{"function": 3}]}}]}',
        b'{"choices": [{"message": {"tool_calls": [{"function": {"name": "count", "arguments": "{"}}]}}]}',
        (500, {}, b"down"), (401, {}, f"Incorrect API key: {KEY}".encode()), (302, {"Location": "http://127.0.0.1:9/"}, b""),
        (200, {"Content-Encoding": "gzip"}, b"\x1f\x8bno"), _sleep, _drip, _endless, _cut, lambda h: None,
        completion("There are 500 nuclei."), completion("<img src=x onerror=alert(1)> {e1.value} nuclei"), ENDLESS,
        completion(None, [{"name": "exec", "arguments": '{"code": "import os"}'}]),
        completion(None, [{"name": "measure", "arguments": '{"expression": {"a": [1, "x"]}, "region": 7}'}]),
        completion("\x00\x1b[31m8"),
        completion(None, [{"name": "count", "arguments": "[1, 2]"}]), completion("9" * 300_000),
    ],
)  # fmt: skip
def test_a_server_that_misbehaves_costs_nothing_but_its_words(ask, server, answer, monkeypatch, caplog):
    monkeypatch.setenv("TEST_LLM_KEY", KEY)
    start = time.monotonic()
    with caplog.at_level(logging.DEBUG):
        chat, found = ask(answer, timeout_s=0.4, max_bytes=200_000, key_env="TEST_LLM_KEY")
    assert (found.text, found.value, found.worded_by) == (COMPOSED, 8, "")
    assert chat.llm.notes or answer == completion("")
    assert KEY not in caplog.text + repr(chat.llm) + " ".join(chat.llm.notes)
    assert time.monotonic() - start < 5
    assert len(server.asked) <= 5


def test_a_passing_failure_is_tried_again(ask, server):
    assert ask((503, {}, b""), completion("{e1.value} nuclei"))[1].text == "8 nuclei"
    assert ask((400, {}, b""), completion("{e1.value} nuclei"))[1].text == COMPOSED
    assert len(server.asked) == 1


def test_what_it_says_is_text_and_never_markup(ask):
    from micro_nb.session.views.html import answer_html

    _, answer = ask(completion("8 nuclei & more \"nuclei\" 'here'"), question=COUNT)
    assert "<script" not in answer_html(answer)
    assert '& more "' not in answer_html(answer)


def test_keys_come_from_the_environment_and_are_shown_nowhere(ask, server, monkeypatch):
    monkeypatch.setenv("TEST_LLM_KEY", KEY)
    chat, answer = ask(completion("{e1.value} nuclei"), key_env="TEST_LLM_KEY")
    assert answer.text == "8 nuclei"
    assert server.asked[0][1]["Authorization"] == f"Bearer {KEY}"
    assert KEY not in repr(chat.llm) + str(vars(chat.llm.model)) + json.dumps(answer.to_dict(), default=str)
    monkeypatch.delenv("TEST_LLM_KEY")
    chat, answer = ask(completion("{e1.value} nuclei"), key_env="TEST_LLM_KEY")
    assert answer.text == COMPOSED
    assert "TEST_LLM_KEY is not set" in chat.llm.notes[0]


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"url": "ftp://x/v1", "model": "m"}, "http"),
        ({"url": "http://me:pw@host/v1", "model": "m"}, "password"),
        ({"url": "https://host/v1?key=1", "model": "m"}, "query"),
        ({"url": "http://host/v1", "model": ""}, "which model"),
        ({"url": "http://host.example/v1", "model": "m", "key_env": "K"}, "unencrypted"),
    ],
)
def test_an_address_that_is_not_safe_is_refused(given, reason):
    with pytest.raises(ValueError, match=reason) as refused:
        Endpoint(**given)
    assert "pw" not in str(refused.value)


def test_a_server_that_is_not_there_is_said_to_be_away():
    with pytest.raises(ChatError, match="could not be reached"):
        Endpoint("http://127.0.0.1:9/v1", "m", timeout_s=1).reply([Message("user", "hi")], [])


def test_pictures_are_sent_to_models_that_see(ask, server):
    ask(completion("{e1.value} nuclei"), sees=True)
    content = server.asked[0][2]["messages"][1]["content"]
    assert content[1]["image_url"]["url"].startswith("data:image/png;base64,")
    ask(completion("{e1.value} nuclei"))
    assert isinstance(server.asked[0][2]["messages"][1]["content"], str)
