"""Names that a model was fine-tuned on need not be in the ontology."""

from __future__ import annotations

import numpy as np

from micro_nb.tasks.names import Vocabulary, layers_of

MINE = "grit of my mill"


def vocabulary(*concepts: str) -> Vocabulary:
    return Vocabulary(concepts, np.eye(len(concepts), 4, dtype=np.float32), 10.0, -3.0)


def test_a_name_that_the_ontology_lacks_is_looked_for_among_whole_objects():
    assert layers_of(MINE) == ("object",)
    assert layers_of("nuclei") == layers_of("nucleus") == ("object", "nucleus")


def test_a_name_that_the_ontology_lacks_rivals_all_others():
    known = vocabulary("powder particle", MINE)
    objects = np.array([[1, 0, 0, 0], [0, 1, 0, 0]], np.float32)
    meant, _ = known.matching(objects, known.vectors[1], MINE)
    assert meant.tolist() == [False, True]
    meant, _ = known.matching(objects, known.vectors[0], "powder particle")
    assert meant.tolist() == [True, False]


def test_objects_are_named_by_a_name_that_the_ontology_lacks():
    known = vocabulary("powder particle", MINE)
    assert known.names(known.vectors, "object")[0] == ["powder particle", MINE]
    assert known.names(known.vectors, "organelle")[0] == ["", ""]
