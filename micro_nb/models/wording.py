"""The forms of a word: one key for all its spellings, plurals, edit distance, and the typing errors people make."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from functools import lru_cache
from itertools import groupby
from typing import NamedTuple

import numpy as np

_TOKEN = re.compile(r"[^\W_]+(?:['’][^\W_]+)?|&")
_ABBREVIATIONS = re.compile("[A-Z]{2,}s")
_LATIN = re.compile(r"[A-Z]\. [a-z]+|[A-Z][a-z]+ [a-z]*(?:i|us|is|ae|um|ans|a|pombe)|[A-Z][a-z]+(?:a|um|us)")
"""Names of species and genera, which have no plural."""
_GREEK = str.maketrans({"α": "alpha", "β": "beta", "γ": "gamma", "δ": "delta", "μ": "micro", "&": "and"})
_BRITISH = (
    ("haemat", "hemat"), ("haemog", "hemog"), ("haemol", "hemol"), ("aemi", "emi"), ("leuco", "leuko"), ("fibre", "fiber"),
    ("centre", "center"), ("colour", "color"), ("tumour", "tumor"), ("grey", "gray"), ("artefact", "artifact"),
    ("labelled", "labeled"), ("labelling", "labeling"), ("sulph", "sulf"), ("mould", "mold"), ("aluminium", "aluminum"),
    ("amoeba", "ameba"), ("neighbour", "neighbor"), ("lisation", "lization"), ("nisation", "nization"), ("risation", "rization"),
    ("lised", "lized"), ("nised", "nized"), ("rised", "rized"), ("mised", "mized"), ("dised", "dized"), ("rising", "rizing"),
    ("nising", "nizing"), ("oesoph", "esoph"), ("oedem", "edem"), ("caryo", "karyo"), ("discs", "disks"), ("analys", "analyz"),
)  # fmt: skip
_PLURALS = {
    "nucleus": "nuclei", "nucleolus": "nucleoli", "micronucleus": "micronuclei", "mitochondrion": "mitochondria",
    "bacterium": "bacteria", "myxobacterium": "myxobacteria", "coccus": "cocci", "diplococcus": "diplococci",
    "streptococcus": "streptococci", "bacillus": "bacilli", "spirillum": "spirilla", "fungus": "fungi", "villus": "villi",
    "alveolus": "alveoli", "glomerulus": "glomeruli", "acinus": "acini", "thrombus": "thrombi", "locus": "loci", "focus": "foci",
    "punctum": "puncta", "cilium": "cilia", "flagellum": "flagella", "mycelium": "mycelia", "conidium": "conidia",
    "epithelium": "epithelia", "endothelium": "endothelia", "spermatozoon": "spermatozoa", "protozoon": "protozoa",
    "ovum": "ova", "stoma": "stomata", "soma": "somata", "lumen": "lumina", "larva": "larvae", "alga": "algae",
    "microalga": "microalgae", "hypha": "hyphae", "pseudohypha": "pseudohyphae", "lamella": "lamellae", "trabecula": "trabeculae",
    "crista": "cristae", "gastrula": "gastrulae", "blastula": "blastulae", "morula": "morulae", "trachea": "tracheae",
    "matrix": "matrices", "cortex": "cortices", "metastasis": "metastases", "mitosis": "mitoses", "karyon": "karya",
    "perikaryon": "perikarya", "mouse": "mice", "leaf": "leaves", "virus": "viruses", "spherulite": "spherulites",
    "fluorophore": "fluorophores", "septum": "septa", "ganglion": "ganglia", "foot": "feet", "tooth": "teeth", "glia": "glia",
}  # fmt: skip
_SINGULARS = {many: one for one, many in _PLURALS.items() if one != "focus"} | {"nucleuses": "nucleus", "mitosises": "mitosis"}
"""Without "foci": a focus is also what an image is in."""
_MASS = ("background", "space", "tissue", "actin", "tubulin", "skeleton", "pollen", "glia", "network", "foci", "sperm")
_KEEP = ("ss", "us", "is", "ous")
_SOUNDS = tuple((re.compile(p), sound) for p, sound in (("ph", "f"), ("th", "t"), ("ae|oe", "e"), ("y", "i"), ("c", "k")))
_BESIDE = {
    c: row[max(k - 1, 0) : k] + row[k + 1 : k + 2] for row in ("qwertyuiop", "asdfghjkl", "zxcvbnm") for k, c in enumerate(row)
}


class Token(NamedTuple):
    """A word of a text: as written, in plain small letters, the key of all its forms, and where it stands."""

    text: str
    plain: str
    key: str
    start: int
    end: int


def tokens(text: str) -> tuple[Token, ...]:
    """The words of a text; hyphens, slashes and other marks separate them.

    >>> [t.key for t in tokens("Haematoxylin-stained nuclei, γ-H2AX")]
    ['hematoxylin', 'stained', 'nucleus', 'gamma', 'h2ax']
    """
    return tuple(Token(m.group(), plain(m.group()), key(m.group()), m.start(), m.end()) for m in _TOKEN.finditer(text))


def squashed(keys: Iterable[str]) -> str:
    """One key for a phrase however it is divided into words: "bright field", "bright-field" and "brightfield"."""
    return "".join(keys)


@lru_cache(maxsize=16384)
def key(word: str) -> str:
    """A word without case, accents, possessive, plural and British spelling.

    >>> key("Leucocytes"), key("µCT"), key("fibres"), key("foci")
    ('leukocyte', 'microct', 'fiber', 'foci')
    """
    word = word[:-1] if _ABBREVIATIONS.fullmatch(word) else word
    return american(singular(plain(word)))


def plain(word: str) -> str:
    """A word in small letters without accents, Greek and possessive.

    >>> plain("Grünwald's"), plain("γ")
    ('grunwald', 'gamma')
    """
    small = unicodedata.normalize("NFKD", word).casefold().translate(_GREEK)
    return re.sub(r"['’]s$|['’]", "", "".join(c for c in small if not unicodedata.combining(c)))


def singular(word: str) -> str:
    """The singular of a lower-case word; what is no plural, and nothing known, only loses its s.

    >>> [singular(w) for w in ("nuclei", "capillaries", "crosses", "WBCs".lower(), "virus", "mitosis")]
    ['nucleus', 'capillary', 'cross', 'wbc', 'virus', 'mitosis']
    """
    if word in _SINGULARS:
        return _SINGULARS[word]
    if len(word) < 4 or not word.endswith("s") or word.endswith(_KEEP):
        return word
    if word.endswith("ies") and len(word) > 4:
        return word[:-3] + "y"
    if word.endswith(("ches", "shes", "xes", "sses")):
        return word[:-2]
    return word[:-1]


def plural(phrase: str) -> str:
    """The plural of a phrase's last word, or of what "of" or "on" follows.

    >>> plural("red blood cell"), plural("crypt of Lieberkuhn"), plural("RBC"), plural("mitochondrion"), plural("gamma-H2AX foci")
    ('red blood cells', 'crypts of Lieberkuhn', 'RBCs', 'mitochondria', 'gamma-H2AX foci')
    """
    if _LATIN.fullmatch(phrase) or phrase.endswith(_MASS):
        return phrase
    head, of, rest = re.match(r"(.*?)(\b(?:of|on|with|in)\b|$)(.*)", phrase, re.DOTALL).groups()  # type: ignore[union-attr]
    if of:
        return f"{plural(head.rstrip())} {of}{rest}"
    before, word = re.match(r"(.*?)([^\s-]*)$", phrase, re.DOTALL).groups()  # type: ignore[union-attr]
    low = word.lower()
    if low in _PLURALS or low in _SINGULARS:
        return before + _PLURALS.get(low, word)
    if low.endswith("sis"):
        return phrase[:-2] + "es"
    if low.endswith("y") and not low.endswith(("ay", "ey", "oy")):
        return phrase[:-1] + "ies"
    return phrase + ("es" if low.endswith(("s", "x", "ch", "sh")) else "s")


def american(text: str) -> str:
    """American spelling, lower case."""
    for british_part, american_part in _BRITISH:
        if british_part in text:
            text = text.replace(british_part, american_part)
    return text


def british(text: str) -> str:
    """British spelling.

    >>> british("tumor fiber"), british("hematoxylin")
    ('tumour fibre', 'haematoxylin')
    """
    for british_part, american_part in _BRITISH:
        text = text.replace(american_part, british_part)
    return text


@lru_cache(maxsize=16384)
def sound(word: str) -> str:
    """A word roughly as it is heard, so that "lymfocite" meets "lymphocyte"; double letters count once."""
    for pattern, heard in _SOUNDS:
        word = pattern.sub(heard, word)
    return "".join(c for c, _ in groupby(word))


def edits(a: str, b: str, *, limit: int) -> int:
    """Insertions, deletions, substitutions and swaps of neighbours between two words; more than ``limit`` is ``limit + 1``.

    Optimal string alignment distance: F. Damerau, Commun. ACM 7 (1964) 171-176.

    >>> edits("nuclues", "nucleus", limit=2), edits("abc", "xyz", limit=1)
    (1, 2)
    """
    if abs(len(a) - len(b)) > limit or len(set(a) ^ set(b)) > 2 * limit:
        return limit + 1
    rows = [list(range(len(b) + 1))]
    for i, x in enumerate(a, 1):
        row = [i]
        for j, y in enumerate(b, 1):
            cost = min(rows[-1][j] + 1, row[-1] + 1, rows[-1][j - 1] + (x != y))
            if i > 1 and j > 1 and x == b[j - 2] and a[i - 2] == y:
                cost = min(cost, rows[-2][j - 2] + 1)
            row.append(cost)
        rows.append(row)
    return min(rows[-1][-1], limit + 1)


def mistyped(text: str, rng: np.random.Generator) -> str:
    """The text with one slip of the fingers in a word of five letters or more, never in its first letter or in an abbreviation.

    The slips: a letter left out, doubled, swapped with the next, or taken from the key beside. A text of short words is kept.
    """
    words = [m for m in re.finditer(r"[A-Za-z]{5,}", text) if not m.group().isupper()]
    if not words:
        return text
    word = words[int(rng.integers(len(words)))]
    k = word.start() + int(rng.integers(1, len(word.group()) - 1))
    letter, slip = text[k], int(rng.integers(4))
    beside = _BESIDE.get(letter.lower()) or letter
    typed = ("", letter * 2, text[k + 1] + letter, beside[int(rng.integers(len(beside)))])[slip]
    return text[:k] + typed + text[k + (2 if slip == 2 else 1) :]
