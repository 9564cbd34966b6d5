"""The names that objects of the training pictures may have; each is a concept of Micro-D1's ontology."""

from __future__ import annotations

RED = (
    "normal cell", "target cell", "ovalocyte", "spherocyte", "stomatocyte", "elliptocyte", "hypochromia", "schistocyte",
    "burr cell", "macrocyte", "microcyte", "teardrop", "uncategorised",
)  # fmt: skip
WHITE = ("neutrophil", "lymphocyte", "monocyte", "eosinophil", "basophil")
PARENTS = dict.fromkeys(RED, "red blood cell") | dict.fromkeys(WHITE, "white blood cell")
"""Concept -> its parent, for names that imply another."""
CONCEPTS = sorted({
    *RED, *WHITE, "red blood cell", "white blood cell", "platelet", "nucleus", "adherent cell", "carbide particle",
    "powder particle", "satellite", "neurite", "mitochondrion", "chloroplast", "pore", "bacterium", "axon", "myelinated axon",
    "cell", "fiber", "grain", "droplet", "vesicle", "yeast", "bead", "plant cell", "epithelial cell",
})  # fmt: skip


def parents() -> dict[int, int]:
    """Position of a concept -> that of its parent."""
    place = {name: k for k, name in enumerate(CONCEPTS)}
    return {place[kind]: place[parent] for kind, parent in PARENTS.items()}
