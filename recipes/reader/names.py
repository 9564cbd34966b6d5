"""Names of things that stand for one another while the reader is trained: those of the corpus and of the ontology."""

from __future__ import annotations

from corpus import lots

from micro_nb.models.ontology import ontology
from micro_nb.session.language.forms import OBJECTS_FIRST


def _named() -> list[str]:
    known = {c.id for c in ontology().values() if c.countable and c.kind in ("object", "cell type", "structure")}
    for talk in lots():
        for _, calls in talk.turns:
            for call in calls:
                for c in call.walk():
                    if (c.name in OBJECTS_FIRST or c.name == "obj") and c.args and isinstance(c.args[0], str):
                        known.add(c.args[0])
    return sorted(k for k in known if 2 < len(k) < 32 and k not in ("object", "image"))


KINDS = _named()
