"""What is known of a training image in the words of the ontology: concepts that are there, concepts about which nothing is known.

Everything else is known not to be there, which is what teaches the joint space to say no.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from micro_nb.learn.sample import Sample
from micro_nb.models.ontology import ontology

OBJECTS = ("object", "structure", "cell type")
_OPEN = ("appearance", "artefact", "condition")
"""Kinds of concepts of which nothing is known unless it is said."""

_DATASETS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "dsb2018/fluorescence": (
        ("fluorescence", "nucleus", "DNA stain", "dark background"),
        ("specimen", "stain", "cell", "micronucleus", "mitotic figure", "chromatin", "nucleolus", "mitotic cell"),
    ),
    "dsb2018/histology": (
        ("histology", "brightfield", "hematoxylin and eosin", "tissue section", "nucleus", "bright background"),
        ("specimen", "structure", "cell type", "stain", "nucleolus", "mitotic figure", "chromatin"),
    ),
    "dsb2018/brightfield": (("brightfield", "nucleus", "squamous cell"), ("specimen", "stain", "structure", "cytoplasm")),
    "usiigaci_phase": (
        ("phase contrast", "adherent cell", "cultured cells"),
        ("structure", "nucleus", "fibroblast", "specimen", "cell type", "time-lapse"),
    ),
    "ampis_spheroidite_sem": (
        ("scanning electron microscopy", "ultrahigh carbon steel", "carbide particle", "spheroidite", "metal matrix"),
        ("cementite", "ferrite", "metallographic etchant", "precipitate", "inclusion", "grain boundary"),
    ),
    "ampis_powder_sem": (
        ("scanning electron microscopy", "metal powder", "powder particle", "satellite", "round"),
        ("alloy", "agglomerate", "titanium alloy", "aluminum alloy"),
    ),
    "sstem_vnc": (
        ("serial-section TEM", "neural tissue", "Drosophila", "mitochondrion", "neurite", "membrane", "synapse"),
        ("structure", "heavy metal stain", "volume electron microscopy", "neuron", "glial cell", "brain"),
    ),
    "bccd": (
        ("blood smear", "brightfield", "Giemsa", "red blood cell", "bright background"),
        ("human", "Wright stain", "nucleus", "structure"),
    ),
    "chula_rbc12": (
        ("blood smear", "brightfield", "red blood cell", "bright background"),
        ("human", "stain", "structure", "nucleus"),
    ),
    "pbc_blood_boxes": (
        ("blood smear", "brightfield", "Giemsa", "red blood cell", "bright background"),
        ("human", "Wright stain", "nucleus", "structure"),
    ),
    "tnbc_he_nuclei": (
        ("histology", "brightfield", "hematoxylin and eosin", "tissue section", "nucleus", "bright background"),
        ("specimen", "structure", "cell type", "stain", "nucleolus", "mitotic figure", "chromatin"),
    ),
    "wsu_plant_em/pores": (("scanning electron microscopy", "pore"), ("specimen", "structure", "object")),
    "wsu_plant_em/chloroplasts": (("transmission electron microscopy", "chloroplast"), ("specimen", "structure", "object")),
    "chula_rbc_disease": (
        ("blood smear", "brightfield", "red blood cell", "bright background"),
        ("human", "stain", "structure", "nucleus", "cell type"),
    ),
    "captioned": ((), ("structure", "cell type", "object", "stain", "specimen")),
}
"""Data set, or data set and modality -> present; and concepts or whole kinds of which nothing is known."""
_WHITE_OF = "white blood cell"
_LABELLED = dict.fromkeys(("bccd", "pbc_blood_boxes"), (_WHITE_OF, "platelet"))
"""Data sets with labels for some kinds alone -> those kinds. Elsewhere every object of a layer has a label."""


@dataclass(frozen=True)
class Facts:
    """Of one image, concept names of the ontology.

    Attributes
    ----------
    present : those that are there, with everything that they are a kind of.
    unknown : those of which nothing is known.
    caption : words of its own, or ``""``.
    labelled : kinds that have labels wherever they are, where others have not; empty where all have.
    """

    present: frozenset[str]
    unknown: frozenset[str]
    caption: str = ""
    labelled: frozenset[str] = frozenset()


def facts_of(sample: Sample) -> Facts:
    """The facts of a training image, from its data set, its objects and its caption."""
    key = f"{sample.dataset}/{sample.facts.get('modality')}"
    said, open_ = _DATASETS.get(key) or _DATASETS.get(sample.dataset, ((), ()))
    named = {n for ids in sample.names.values() for n in ids.values() if ontology().get(n) is not None}
    condition = sample.facts.get("condition")
    caption = ". ".join(
        sample.facts[k] for k in ("caption", "specimen", "modality") if sample.dataset == "captioned" and k in sample.facts
    )
    read = {c.id for c in ontology().sentence_concepts(caption)} if caption else set()
    closed = {"condition"} if condition else set()
    found = known({*said, *named, *read, *((condition,) if condition else ())}, _untold(sample, open_), caption, closed=closed)
    kinds = {d for name in _LABELLED.get(sample.dataset, ()) for d in (name, *ontology().descendants(name))}
    return replace(found, labelled=frozenset(kinds))


def known(present: Iterable[str], unknown: Iterable[str], caption: str = "", *, closed: Iterable[str] = ()) -> Facts:
    """Facts closed under the ontology: what a present concept is a kind of is present; its own kinds are not known.

    Parameters
    ----------
    unknown : concepts, or kinds, of which nothing is known.
    closed : kinds that are open by default and are told completely here.
    """
    onto = ontology()
    there = {c for name in present for c in (name, *onto.ancestors(name))}
    kinds = {*unknown, *_OPEN} - set(closed)
    untold = {c.id for c in onto.values() if c.kind in kinds or c.id in kinds}
    below = {d for name in present for d in onto.descendants(name)}
    parts = {c.id for c in onto.values() if {*c.goes_with, *c.part_of} & there}
    return Facts(frozenset(there), frozenset((untold | below | parts) - there), caption)


def _untold(sample: Sample, open_: tuple[str, ...]) -> tuple[str, ...]:
    if sample.dataset == "chula_rbc12" and float(sample.facts.get("coverage", 0)) < 0.9:
        return (*open_, *ontology().descendants("red blood cell"), "platelet", _WHITE_OF, *ontology().descendants(_WHITE_OF))
    return open_
