"""Numbers in a sentence, in digits or in words, each with its place and its value: one normaliser for all that people write."""

from __future__ import annotations

import re
from dataclasses import dataclass

_ONES = """zero one two three four five six seven eight nine ten eleven twelve
    thirteen fourteen fifteen sixteen seventeen eighteen nineteen"""
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety"
_RANKS = "first second third fourth fifth sixth seventh eighth ninth tenth"
_UNITS = {w: k for k, w in enumerate(_ONES.split())} | {"couple": 2, "pair": 2, "fourty": 40}
_TENTHS = {w: 10 * k for k, w in enumerate(_TENS.split(), 2)}
_POWERS = {"hundred": 100, "thousand": 1000, "million": 1_000_000, "billion": 1_000_000_000, "dozen": 12, "score": 20}
_MANY = {f"{w}s": v for w, v in _POWERS.items()}
_PARTS = {
    "half": 1 / 2, "halves": 1 / 2, "third": 1 / 3, "thirds": 1 / 3, "quarter": 1 / 4, "quarters": 1 / 4, "fourth": 1 / 4,
    "fifths": 1 / 5, "tenth": 1 / 10, "tenths": 1 / 10, "decile": 1 / 10, "quartile": 1 / 4, "hundredth": 1 / 100,
}  # fmt: skip
_ORDINALS = {w: k for k, w in enumerate(_RANKS.split(), 1)}
_TIMES = {"once": 1, "twice": 2, "double": 2, "doubled": 2, "thrice": 3, "triple": 3, "tripled": 3}
_SIGNS = {"¼": 0.25, "½": 0.5, "¾": 0.75, "⅓": 1 / 3, "⅔": 2 / 3}
_DIGITS = re.compile(
    r"(?<![A-Za-z0-9_.#])[-+]?(?:\d{1,3}(?:[, ]\d{3})+(?![\d,])(?:\.\d+)?|\d+(?:[.,]\d+)?|\.\d+)"
    r"(?:\s?(?:x|\*)\s?10\^?[-+]?\d+|\^[-+]?\d+|[eE][-+]?\d+)?(?:(?:st|nd|rd|th)\b|k\b)?"
)
_WORDS = re.compile(r"[a-z]+(?:-[a-z]+)?")


@dataclass(frozen=True, slots=True)
class Number:
    """``text[start:end]`` says ``value``; ``digits`` where it is written in digits."""

    start: int
    end: int
    value: float
    digits: bool = True


def find_numbers(text: str) -> list[Number]:
    """The numbers of a text, from left to right.

    >>> [n.value for n in find_numbers("2 dozen, a quarter, 1,200 and 0,5 or 1e4; the second one, sixty-odd")]
    [24.0, 0.25, 1200.0, 0.5, 10000.0, 2.0, 60.0]
    """
    found = [Number(m.start(), m.end(), value(m.group())) for m in _DIGITS.finditer(text)]
    found += [Number(k, k + 1, v) for k, c in enumerate(text) for sign, v in _SIGNS.items() if c == sign]
    taken = {k for n in found for k in range(n.start, n.end)}
    found += [n for n in _spelled(text.lower()) if not taken & set(range(n.start, n.end))]
    return _joined(sorted(found, key=lambda n: n.start), text.lower())


def value(text: str) -> float:
    """The value of one number in digits.

    >>> value("1,200"), value("0,5"), value("10^4"), value("3x10^-2"), value("2k"), value("3rd")
    (1200.0, 0.5, 10000.0, 0.03, 2000.0, 3.0)
    """
    text = re.sub(r"(?:st|nd|rd|th)$", "", text.strip().replace(" ", "").replace("*", "x"))
    text, thousand = (text[:-1], 1000.0) if text.endswith("k") else (text, 1.0)
    mantissa, _, power = text.partition("x10")
    if power:
        return float(float(_decimal(mantissa)) * 10.0 ** float(power.lstrip("^")))
    base, _, exponent = text.partition("^")
    return float(_decimal(base)) ** float(exponent) if exponent else float(_decimal(base)) * thousand


def _decimal(text: str) -> str:
    """A comma between groups of three digits is no decimal comma."""
    if re.fullmatch(r"[-+]?[1-9]\d{0,2}(,\d{3})+(\.\d+)?", text):
        return text.replace(",", "")
    return text.replace(",", ".")


def _spelled(text: str) -> list[Number]:
    """Numbers in words, neighbours not yet joined."""
    out: list[Number] = []
    words = [(m.group(), m.start(), m.end()) for m in _WORDS.finditer(text)]
    k = 0
    while k < len(words):
        total, group, end = 0.0, 0.0, k
        while end < len(words) and (step := _step(words[end][0], group)) is not None:
            group, done = step
            total, group = (total + group, 0.0) if done else (total, group)
            end += 1
            if end < len(words) and text[words[end - 1][2] : words[end][1]].strip():
                break
            then = words[end + 1][0] if end + 1 < len(words) and words[end][0] == "and" else ""
            end += group >= 100 and then in _UNITS
        if end > k:
            out.append(Number(words[k][1], words[end - 1][2], float(total + group), digits=False))
            k = end
            continue
        other = {**_PARTS, **_ORDINALS, **_TIMES}.get(words[k][0])
        if other is not None:
            out.append(Number(words[k][1], words[k][2], float(other), digits=False))
        k += 1
    return [n for n in out if not (text[n.start : n.end] in ("one", "second", "seconds", "score") and n.value < 2)]


def _step(word: str, group: float) -> tuple[float, bool] | None:
    """The number so far with one more word; whether a thousand or more closes it. None where the word is no number."""
    head, _, tail = word.partition("-")
    if tail and head in _TENTHS:
        return group + _TENTHS[head] + _UNITS.get(tail, 0), False
    if word in _UNITS and group % 10 == 0:
        return group + _UNITS[word], False
    if word in _TENTHS and group % 100 == 0:
        return group + _TENTHS[word], False
    power = _POWERS.get(word, _MANY.get(word))
    if power is None:
        return None
    return (group or 1.0) * power, power >= 1000


def _joined(found: list[Number], text: str) -> list[Number]:
    """ "2 dozen", "three quarters", "half a million", "2/3": neighbours that are one number."""
    out: list[Number] = []
    for n in found:
        last, word = out[-1] if out else None, text[n.start : n.end]
        if last is None:
            out.append(_as_part(n, text))
            continue
        between, before, whole = text[last.end : n.start], text[last.start : last.end], last.value == int(last.value)
        if (between == " " and word in (*_POWERS, *_MANY)) or (between in (" a ", " ") and before == "half"):
            out[-1] = Number(last.start, n.end, last.value * n.value, last.digits)
        elif between in (" ", "-") and word in _PARTS and whole and 0 < last.value < 10:
            out[-1] = Number(last.start, n.end, last.value * _PARTS[word], False)
        elif between == "/" and n.digits and n.value >= 2 and last.value < n.value < 20 and n.value == int(n.value):
            out[-1] = Number(last.start, n.end, last.value / n.value)
        else:
            out.append(_as_part(n, text))
    return out


def _as_part(n: Number, text: str) -> Number:
    """ "a third", "one fifth" are parts; "the third" is a rank."""
    word, part = text[n.start : n.end], re.search(r"\b(?:a|one)\s+$", text[: n.start]) is not None
    if word in _ORDINALS and word != "second" and part:
        return Number(n.start, n.end, 1 / _ORDINALS[word], False)
    return Number(n.start, n.end, 3.0, False) if word == "third" else n
