"""``Session``: a conversation about images in which every number is a measurement."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from ..data.image import MicroImage
from ..data.open import open_image
from ..data.region import Region
from ..errors import AxesError, EvidenceError, LanguageError, LogError, MicroNBError, UnknownNameError, UnlearnedError
from ..models.wording import plural
from ..render.markdown import mime
from ..tiles.objects import Objects
from .album import Album, Given
from .answer import Answer, Turn, holding
from .composing import answer_of
from .control import adjusted, restyled, settled
from .evidence import Evidence
from .language import Call, parse, same_form
from .language.forms import kind_of, of_kind
from .llm.assistant import Asked, assistant
from .log.book import Choice, LoggedSession, Writer, latest, load, new_id
from .log.verify import album_of
from .measures.evaluation import check, evaluate_shown, selection, taken_for
from .measures.eyes import MICRO_D1, is_seen, resolve, tiles_of
from .measures.quantities import Length, convert
from .measures.registry import get
from .measures.results import Result
from .measures.scene import Scene
from .measures.talking import pixel_size_told
from .methods import Methods, methods
from .reader.understanding import Understood, understand
from .views.html import transcript_html
from .views.text import transcript_markdown, transcript_text
from .words.prose import numerals
from .words.tables import table

_log = logging.getLogger(__name__)
_DOUBTFUL, _UNSURE, _POSSIBLE = 0.02, 0.35, 0.03
"""Probabilities of a reading: below the first an answer begins with a doubt; below the second other readings are offered with it,
and a language model may choose what to measure; from the third on one takes the place of a likelier one of a kind that was not
learned."""
_PILOT, _LEAST_TILES = 2, 6  # tiles that are timed first; images of fewer tiles than this are looked at whole


class Session:
    """A conversation.

    Parameters
    ----------
    img : the image it is about; several as a list, a mapping from names, or from conditions to lists of images
        (``{"control": [...], "treated": [...]}``), which are compared image by image; None for questions that need none.
    objects : objects of the first image that were found or corrected before; they are taken as they are.
    eyes : what finds the objects: ``"micro_d1"``, the built-in model; ``"floor"``, segmentation without trained weights; a model
        folder, or what :func:`micro_nb.load_model` gave. The floor also serves where the weights are missing, or the image has
        several planes.
    index : a :class:`micro_nb.Index`, for "find pictures with ..." and "others like this".
    llm : a language model that may write expressions and word answers, and is held to the same law: a transformers model (a
        folder, a hub id, or ``(model, tokenizer)``), an OpenAI-compatible server (``"http://localhost:11434/v1#model"``, or
        :class:`micro_nb.session.llm.Endpoint`), or any object with ``reply(messages, tools)``. None: answers are composed.
    log : where every turn is kept, before it is shown: a file; True, the log in the user's data folder; False, nowhere. Left out,
        ``settings.log`` decides: it is kept unless the environment says ``MICRO_NB_LOG=0``. A session that was asked nothing
        leaves no trace.

    Attributes
    ----------
    id : its name in the log; ``Session.resume(id)`` goes on with it.
    turns : what was asked and answered, oldest first.
    images : the images by name; ``img`` is the one it is about now, ``about`` its name.
    llm : the language model; ``llm.notes`` says what of its last turn was refused.
    watchers : functions that are told every new turn.
    looks_with : which eyes look at this image.

    Examples
    --------
    >>> import numpy as np, micro_nb as mnb
    >>> chat = Session(mnb.open_image(np.full((40, 60), 7, "uint8")))
    >>> chat.measure('pixels("max")').value
    7
    """

    def __init__(
        self,
        img: Given = None,
        *,
        objects: Objects | None = None,
        eyes: Any = MICRO_D1,
        index: Any = None,
        llm: Any = None,
        log: Choice = None,
    ) -> None:
        self.images = Album.of(img)
        self.turns: list[Turn] = []
        self.watchers: list[Callable[[Turn], None]] = []
        first = next(iter(self.images), None)
        given, told = {first: objects} if objects is not None and first is not None else {}, {"index": index} if index else {}
        self._scene = Scene(self.images, first, eyes, given, groups=self.images.groups, told=told)
        self._tiles: dict[str, int] = {}
        self._scene_before: list[Scene] = []
        self.llm = assistant(llm)
        self.id, self._log = new_id(), Writer(log)

    @property
    def about(self) -> str | None:
        """The name of the image that is spoken of."""
        return self._scene.about

    @property
    def img(self) -> MicroImage | None:
        """The image that is spoken of."""
        return self.images[self.about] if self.about is not None else None

    @property
    def looks_with(self) -> str:
        """The name of the eyes that look at this image."""
        return resolve(self._scene.eyes, self.img)

    @property
    def eyes(self) -> Any:
        """The eyes that were asked for."""
        return self._scene.eyes

    def ask(
        self,
        question: str,
        *,
        region: Region | None = None,
        budget: float | None = None,
        calls: tuple[Call, ...] | None = None,
    ) -> Answer:
        """Answers from measurements, or declines and says why.

        Parameters
        ----------
        question : in the person's own words, or an expression of the measuring language; follow-ups may leave out what was
        said before.
        region : the place that is "this".
        budget : seconds to spend on looking for objects. Counts and statistics are then estimated from a random sample of tiles
            (two at least), with an interval; asked again, from twice as many, until the image was looked at whole, as with
            ``math.inf``. Above 64 megapixels 32 tiles are looked at where no budget is given, until all were.
        calls : what the question means, where that is known: a reading that was chosen, or an object that was pointed at.
        """
        question = str(question)
        before_it = [t.calls for t in holding(self.turns)]
        understood = Understood(tuple(calls), 1.0) if calls else understand(question, before_it)
        told = {**self._scene.told, "question": question}
        self._scene = replace(
            self._scene, marked=region if region is not None else self._scene.marked, tiles=self._affordable(budget), told=told
        )
        before = self._scene
        answer = self._answered(understood)
        answer = self._in_words(question, understood, answer)
        self._scene_before.append(before)
        return self._kept(Turn(question, answer.calls, answer))

    def measure(self, expression: str | Call, *, region: Region | None = None, having: Sequence[str] = ()) -> Answer:
        """What an expression of the measuring language gives, as an answer; not kept as a turn.

        Parameters
        ----------
        region : the place that is "this"; left out, the one that is marked.
        having : conditions that all objects must meet besides, such as ``"not border"``.

        Raises
        ------
        LanguageError : it is no expression, or one that no measurement can take.

        Examples
        --------
        >>> import numpy as np, micro_nb as mnb
        >>> Session(mnb.open_image(np.zeros((30, 40), "uint8")), log=False).measure('image("size")').text
        'The image is 40 px wide and 30 px high.'
        """
        call = expression if isinstance(expression, Call) else parse(expression)
        check(call)
        scene, marked = self._scene, region or self._scene.marked
        self._scene = replace(scene, marked=marked, standing=(*scene.standing, *(h for h in having if h not in scene.standing)))
        try:
            return self._measured((call,))
        finally:
            self._scene = scene

    def add(self, img: MicroImage, name: str | None = None) -> Session:
        """Takes another image into the conversation: "compare with the control", "which image has more nuclei?".

        Raises
        ------
        EvidenceError : the name is taken.
        """
        name = self.images.add(img, name)
        if self.about is None:
            self.use(name)
        return self

    def take(self, objects: Objects) -> None:
        """Takes objects of the image that is spoken of as they are, from now on: found elsewhere, or corrected by hand."""
        if self.about is not None:
            self._scene = replace(self._scene, given={**self._scene.given, self.about: objects})

    def use(self, name: str) -> None:
        """Makes an image the one that is spoken of.

        Raises
        ------
        EvidenceError : no image has this name.
        """
        self._scene = self._scene.on(name)

    @classmethod
    def resume(cls, name: str = "last", *, img: Given = None, eyes: Any = None, log: Choice = None, llm: Any = None) -> Session:
        """Goes on with a logged conversation.

        Parameters
        ----------
        name : its :attr:`id`, the beginning of one, or ``"last"``.
        img : the image or images, where they were arrays in memory; others are opened where they were. Contents are compared,
            and a warning names the images that are not there any more.
        eyes, log, llm : as for a new session; left out, the eyes that were used, and the log in the user's data folder.

        Raises
        ------
        LogError : no such session, or the image that was spoken of last is not there or not the same.
        """
        writer = Writer(True if log is None else log)
        logged = load(name, writer.path)
        chat = cls(eyes=eyes or logged.eyes, log=writer.path, llm=llm)
        chat.go_on(logged, img)
        return chat

    def earlier(self) -> LoggedSession | None:
        """The last logged conversation about this image, as long as nothing was asked in this one."""
        if self.turns or self.img is None or self._log.path is None:
            return None
        return latest(self.img.content_id, self._log.path)

    def go_on(self, logged: LoggedSession | None = None, img: Given = None) -> None:
        """Takes up a logged conversation in place of this one, as after a restart of the kernel.

        Parameters
        ----------
        logged : left out, the last one about this image.
        img : as for :meth:`resume`; left out, the images that are here.

        Raises
        ------
        LogError : there is none, or the image that was spoken of last is not there or not the same.
        """
        logged = logged or self.earlier()
        if logged is None:
            raise LogError("no earlier conversation about this image is in the log")
        self.images = Album.of(album_of(logged, dict(self.images) if img is None else img))
        kept = {group: tuple(n for n in names if n in self.images) for group, names in logged.groups.items()}
        self.images.groups.update({group: names for group, names in kept.items() if names})
        first = next(iter(self.images), None)
        self._scene = replace(self._scene, images=self.images, about=first, groups=self.images.groups)
        self.id = logged.id
        by_content = {image.content_id: image for image in self.images.values()}
        for turn in logged.turns:
            about = str(logged.images[turn.image]["content_id"]) if turn.image else ""
            self._replayed(Turn(turn.question, turn.calls, replace(turn.answer, image=by_content.get(about))))
        if logged.about is not None:
            self.use(logged.about)
        self._log.written = list(zip((t.serial for t in logged.turns), self.turns, strict=True))

    def annotate(self) -> Objects:
        """The objects the last answer spoke of, as a layer: ``mnb.overview(img, objects=chat.annotate())``, or its ``save``.

        Raises
        ------
        EvidenceError : no answer spoke of objects yet.
        """
        for turn in reversed(holding(self.turns)):
            if turn.answer.objects is not None:
                return turn.answer.objects
        raise EvidenceError("no answer of this session spoke of objects yet; ask how many there are, for example")

    def methods(self) -> Methods:
        """The methods paragraph of what was measured here, and what is missing for one that is complete."""
        return methods(self.img, self.evidence, worded_by=[turn.answer.worded_by for turn in self.turns])

    @property
    def history(self) -> tuple[tuple[str, str], ...]:
        """Questions and answers as text."""
        return tuple((turn.question, turn.answer.text) for turn in self.turns)

    @property
    def evidence(self) -> tuple[Evidence, ...]:
        """All facts stated so far, each once."""
        return tuple({e.id: e for turn in self.turns for e in turn.answer.evidence}.values())

    def _answered(self, understood: Understood) -> Answer:
        """The answer to what was understood."""
        doubt, calls = self._possible(understood)
        if not calls:
            return Answer(
                "I could not read that as a question about the image; ask for example how many there are, how big, or where.",
                declined="not understood",
                remedy="say it in other words",
                image=self.img,
            )
        if calls[0].name == "undo":
            return self._undone(calls)
        if calls[0].name == "again":
            calls = next((t.calls for t in reversed(holding(self.turns)) if t.calls and t.calls[0].name != "say"), calls)
        self._told(calls)
        answer = self._measured(calls)
        if calls[0].name == "say":
            answer = restyled(calls[0], answer, [t.answer for t in holding(self.turns)])
        answer = self._said_once(answer)
        if (understood.confidence < _DOUBTFUL or doubt) and not answer.declined:
            answer = answer.behind(doubt or "If I understand you rightly: ")
        return replace(answer, alternatives=understood.alternatives if understood.confidence < _UNSURE else ())

    def _possible(self, understood: Understood) -> tuple[str, tuple[Call, ...]]:
        """The likeliest reading; where that names what nothing here is called, the same of a wider kind, or the next likely one
        that names none such, and the doubt that is to be said."""
        odds = zip(understood.alternatives, understood.odds, strict=False)  # none where a reading was given, not read
        likely = [c for c, p in odds if p >= _POSSIBLE and not any(get(call.name).group == "talking" for call in c)]
        unknown = self._unknown(understood.calls)
        if unknown is None:
            return "", understood.calls
        kind, wider = (unknown.kind, unknown.wider) if isinstance(unknown, UnlearnedError) else ("", "")
        if wider:
            return (
                f"I have not learned to tell {plural(kind)} from other {plural(wider)}: ",
                tuple(call.map(lambda c: of_kind(c, wider) if kind_of(c) == kind else c) for call in understood.calls),
            )
        other = next((c for c in likely if self._unknown(c) is None), None)
        unlearned = f"I have not learned to recognise {plural(kind)}; if" if kind else "If"
        return (f"{unlearned} I understand you rightly: ", other) if other is not None else ("", understood.calls)

    def _unknown(self, calls: tuple[Call, ...]) -> MicroNBError | None:
        """For want of which name, or plane, some expressions fail; None where they do not."""
        try:
            for call in (c for c in calls if get(c.name).group != "talking" or c.name == "show"):
                evaluate_shown(call, self._scene)
        except (UnknownNameError, AxesError) as error:
            return error
        except Exception:  # told where the answer is made
            return None
        return None

    def _measured(self, calls: tuple[Call, ...]) -> Answer:
        """The answer that expressions give; what cannot be measured of several is said behind the rest."""
        results, failed, taken = list[Result](), list[Answer](), ""
        name = self.img.name if self.img is not None and len(self.images) == 1 and numerals(self.img.name) else ""
        for call in calls:
            try:
                result = settled(call, self._scene) or evaluate_shown(call, self._scene)
                taken = taken or taken_for(call, result)
                if result.call != same_form(call):
                    calls = tuple(result.call if c is call else c for c in calls)
                if result.found.declined is None or result.found.says is not None:
                    results.append(result)
                else:
                    failed.append(_refused(EvidenceError(result.found.declined), calls, name, result.found.remedy))
            except Exception as error:
                failed.append(_refused(error, calls, name))
        if not results:
            return failed[0]
        try:
            answer = answer_of(results, calls, self._scene)
        except Exception as error:  # a sentence that states what was not measured is never shown
            return _refused(error, calls, name)
        answer = answer.behind(taken)
        return replace(answer, text=f"{answer.text} {failed[0].text}") if failed else answer

    def _said_once(self, answer: Answer) -> Answer:
        """Without a caveat that an earlier answer gave."""
        said = [turn.answer.text for turn in holding(self.turns)]
        again = (c for c in table("talking")["caveats"].values() if answer.text.endswith(c) and any(c in text for text in said))
        return replace(answer, text=answer.text.removesuffix(next(again, "")))

    def _undone(self, calls: tuple[Call, ...]) -> Answer:
        """The answer before the last one, whose turn is taken back with all that it told."""
        held = holding(self.turns)
        if not held:
            return Answer("There is nothing to take back yet.", calls=calls, declined="nothing before")
        at = max(k for k, t in enumerate(self.turns) if t is held[-1])
        if at < len(self._scene_before):
            self._scene = self._scene_before[at]
        before = held[-2].answer if len(held) > 1 else Answer("Taken back.", image=self.img)
        return replace(before, text=before.text if len(held) > 1 else "Taken back; nothing was asked before.", calls=calls)

    def _told(self, calls: tuple[Call, ...]) -> None:
        """Takes in what a turn tells: the pixel size, what is ignored, which image is spoken of, what is left out."""
        for call in calls:
            size = pixel_size_told(dict(call.given)) if call.name == "set" else ""
            if size and self.about is not None:
                self._rescale(size)
            self._scene = adjusted(call, self._scene)

    def _rescale(self, size: str) -> None:
        """Opens the image anew with the pixel size that a person states."""
        length = Length.read(size if any(c.isalpha() for c in size) else f"{size} um")
        um = length.value if length.unit == "um" else convert(length.value, length.unit, "um", None)
        assert self.about is not None
        self.images[self.about] = open_image(self.images.originals[self.about], pixel_size=um)

    def _affordable(self, budget: float | None) -> int | None:
        """How many tiles fit into a budget of seconds, after the time that a few of them take; twice as many when asked again."""
        img = self.img
        if budget is None or img is None or tiles_of(img) < _LEAST_TILES or is_seen(self.looks_with, img):
            return None
        key = f"{img.content_id} {self.looks_with}"
        tiles = 2 * self._tiles.get(key, 0)
        if not tiles:
            start = time.perf_counter()
            selection("object", replace(self._scene, tiles=_PILOT))
            tiles = max(int(min(budget / max((time.perf_counter() - start) / _PILOT, 1e-6), tiles_of(img))), _PILOT)
        self._tiles[key] = min(tiles, tiles_of(img))
        return self._tiles[key]

    def _in_words(self, question: str, understood: Understood, base: Answer) -> Answer:
        """The composed answer, or what a language model makes of it, verified."""
        if self.llm is None:
            return base
        unsure = not understood.calls or understood.confidence < _UNSURE
        return self.llm.answer(Asked(question, unsure, base, self._scene, self.history, self.measure))

    def _replayed(self, turn: Turn) -> None:
        """Takes in a turn of the log, with what it told or took back."""
        before = self._scene
        if turn.takes_back:
            self._undone(turn.calls)
        else:
            self._told(turn.calls)
        self._scene_before.append(before)
        self.turns.append(turn)

    def _kept(self, turn: Turn) -> Answer:
        self.turns.append(turn)
        eyes = self.eyes if isinstance(self.eyes, str) else self.looks_with
        told = {"eyes": eyes} | ({"groups": self.images.groups} if self.images.groups else {})
        self._log.keep(self.id, self.turns, self.images, self.about, told)  # before it is shown
        for tell in self.watchers:
            tell(turn)
        return turn.answer

    def to_markdown(self) -> str:
        """The whole conversation, escaped."""
        return transcript_markdown(self.turns)

    def to_html(self) -> str:
        """The whole conversation, escaped."""
        return transcript_html(self.turns)

    def _ai_repr_(self, **hints: Any) -> Mapping[str, str]:
        """For assistants: the conversation as Markdown."""
        return mime(self.to_markdown())

    def __iter__(self) -> Iterator[Turn]:
        return iter(self.turns)

    def __len__(self) -> int:
        return len(self.turns)

    def __repr__(self) -> str:
        about = self.img.name if self.img is not None else "no image"
        return f"<Session about {about}: {len(self.turns)} turns>"

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        return {"text/html": transcript_html(self.turns), "text/plain": transcript_text(self.turns) or repr(self)}


def _refused(error: Exception, calls: tuple[Call, ...], name: str, remedy: str | None = None) -> Answer:
    """Why nothing could be measured, as a sentence; the only image is not called by a name, which may hold numbers."""
    if not isinstance(error, MicroNBError):  # a fault of ours ends no conversation; it is logged with its place
        _log.error("%s failed", "; ".join(map(str, calls)), exc_info=error)
    text = str(error) if isinstance(error, MicroNBError) else "something went wrong inside, so I give no answer"
    text = text.replace(name, "this image") if name else text
    said = f"{text[:1].upper()}{text[1:]}" + ("" if text.endswith((".", "?", "!")) else ".")
    return Answer(said, calls=calls, declined="not understood" if isinstance(error, LanguageError) else text, remedy=remedy)
