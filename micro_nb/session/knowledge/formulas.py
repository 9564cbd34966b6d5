"""Formulas: a table of names, parameters and expressions; numbers with units go in, one result with what it was made of comes
out."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from ...errors import EvidenceError, UnitsError
from ..measures.measurement import Measurement
from ..measures.quantities import plain_unit
from ..words.tables import table
from .arithmetic import calculate, names_used

Given = Mapping[str, float | str]
_NUMBER = re.compile(r"\s*([-+]?(?:\d+(?:[.,]\d+)?|\.\d+)(?:e[-+]?\d+)?)\s*(.*)", re.IGNORECASE)
_GENERIC = re.compile(r"(?:value|x|number|arg|a|b)\d*")


@dataclass(frozen=True)
class Parameter:
    """What a formula takes: its name, its unit, and what else it is called.

    A unit ``"*v"`` is whatever the values of that group are given in; ``"share"`` is a fraction that may be given in per cent,
    ``"factor"`` a
    dilution ("1:10", 0.1 and 10 mean the same), ``"word"`` the name of a unit.
    """

    name: str
    unit: str
    aliases: tuple[str, ...]


@dataclass(frozen=True)
class Formula:
    """An entry of the table.

    Attributes
    ----------
    names : what it is called; several formulas may share one and differ in what they take.
    takes : its parameters in order. ``default`` : parameter -> number or expression, where it may be left out; ``""`` where it
    is left open.
    is_, unit, quantity : the expression, and what it gives.
    also : further results, ``{quantity, unit, is}``; with ``yes`` and ``no`` a verdict in words.
    says : sentences; one is said where everything it names is there.
    taken : parameter -> what is said where its default was taken. ``valid`` : expression -> why the numbers cannot be where it
    is false.
    """

    names: tuple[str, ...]
    takes: tuple[Parameter, ...]
    is_: str
    unit: str
    quantity: str
    default: Mapping[str, float | str] = field(default_factory=dict)
    also: Sequence[Mapping[str, str]] = ()
    says: Sequence[str] = ()
    taken: Mapping[str, str] = field(default_factory=dict)
    valid: Mapping[str, str] = field(default_factory=dict)
    source: str = ""


@dataclass(frozen=True)
class Worked:
    """A calculation: its results, the main one first, what went in by name, and the sentences that say it."""

    results: tuple[Measurement, ...]
    inputs: Mapping[str, Measurement]
    says: tuple[str, ...]


@cache
def units() -> Mapping[str, tuple[str, float]]:
    """Units that are known: their dimension, and their size in its base unit."""
    return {
        name: (dimension, float(size))
        for dimension, sizes in table("formulas", __package__)["units"].items()
        for name, size in sizes.items()
    }


@cache
def formulas() -> tuple[Formula, ...]:
    """All formulas."""
    return tuple(map(_formula, table("formulas", __package__)["formula"]))


def _formula(entry: Mapping[str, Any]) -> Formula:
    takes = tuple(Parameter(k, row[0], (k, *row[1:])) for k, row in entry["takes"].items())
    rest = {k: v for k, v in entry.items() if k not in ("names", "takes", "is")}
    return Formula(tuple(map(plain_name, entry["names"])), takes, entry["is"], **rest)


def plain_name(text: str) -> str:
    """A name as it is compared.

    >>> plain_name("Z_prime"), plain_name("Cohen's d"), plain_name("haemocytometer")
    ('z prime', 'cohens d', 'hemocytometer')
    """
    text = text.lower().replace("'s ", "s ").replace("'", " prime ").replace("haemo", "hemo")
    return " ".join(re.sub(r"[^a-z0-9]+", " ", text).split())


def work_out(name: str, given: Given) -> Worked:
    """The calculation that a name and the keywords given mean.

    Raises
    ------
    EvidenceError : there is no such formula, a quantity is missing, or the numbers cannot be.
    UnitsError : a value is given in a unit that its quantity cannot have.
    """
    asked = {plain_name(k).replace(" ", "_"): v for k, v in given.items()}
    fits = [(f, _matched(f, asked)) for f in called(name)]
    formula, matched = min(fits, key=lambda fit: (len(_lacking(*fit)), -len(fit[1])))
    _need(formula, _lacking(formula, matched))
    return _worked(formula, matched)


def _lacking(formula: Formula, matched: Given) -> list[Parameter]:
    return [p for p in formula.takes if p.name not in matched and p.name not in formula.default]


def _need(formula: Formula, lacking: Sequence[Parameter]) -> None:
    """Refuses a calculation that lacks something, by its name."""
    if lacking:
        needed = " and the ".join(p.aliases[min(1, len(p.aliases) - 1)].replace("_", " ") for p in lacking)
        raise EvidenceError(f"for the {formula.quantity} I still need the {needed}")


def called(name: str) -> list[Formula]:
    """The formulas that a name means: those that bear it, else those nearest in meaning.

    Raises
    ------
    EvidenceError : none is near enough.
    """
    from .notes import nearest

    plain = plain_name(name)
    own = [f for f in formulas() if plain in f.names]
    if own:
        return own
    names = tuple(n for f in formulas() for n in f.names)
    near = difflib.get_close_matches(plain, names, 1, 0.8) or nearest(plain, names, 0.5)
    if not near:
        raise EvidenceError(
            f"I have no formula called {name}; ask for example for the resolution, a cell concentration or a sample size"
        )
    return [f for f in formulas() if near[0] in f.names]


def _matched(formula: Formula, asked: Given) -> dict[str, float | str]:
    """The values by parameter: by name, by a name that is nearly one, by the unit, and what is left in order where its name
    says nothing."""
    by_name = {plain_name(a).replace(" ", "_"): p.name for p in formula.takes for a in p.aliases}
    found: dict[str, float | str] = {}
    spare = dict(asked)
    for key in asked:
        near = [key] if key in by_name else difflib.get_close_matches(key, by_name, 1, 0.85)
        if near and by_name[near[0]] not in found:
            found[by_name[near[0]]] = spare.pop(key)
    for key, value in spare.items():
        free = [p for p in formula.takes if p.name not in found]
        alike = [p for p in free if _same_dimension(value, p.unit)]
        needed = [p for p in free if p.name not in formula.default] or free
        if len(alike) == 1:
            found[alike[0].name] = value
        elif _GENERIC.fullmatch(key) and needed:
            found[(([p for p in alike if p in needed] or needed)[0]).name] = value
    return found


def _same_dimension(value: float | str, unit: str) -> bool:
    match = _NUMBER.fullmatch(value) if isinstance(value, str) else None
    return match is not None and unit in units() and units().get(unit_named(match[2]), ("",))[0] == units()[unit][0]


def unit_named(text: str) -> str:
    """A unit as the table spells it: ``"microlitres"`` is ``"ul"``.

    >>> unit_named("µL"), unit_named("hours"), unit_named("ångström")
    ('ul', 'h', 'angstrom')
    """
    known: dict[str, str] = table("formulas", __package__)["spelt"]
    plain = plain_unit(text.replace("Å", "a").replace("å", "a").replace("ö", "o").strip())
    exact = text.strip().replace("µ", "u").replace("μ", "u")
    return exact if exact in units() else known.get(plain, plain)


def _worked(formula: Formula, matched: Given) -> Worked:
    groups: dict[str, str] = {}
    values = {p.name: read_value(matched[p.name], p, groups) for p in formula.takes if p.name in matched and p.unit != "word"}
    told = _filled_up(values, formula)
    wrong = [why for rule, why in formula.valid.items() if names_used(rule) <= set(values) and not calculate(rule, values)]
    if wrong:
        raise EvidenceError(wrong[0])
    _need(formula, [p for p in formula.takes if p.name in names_used(formula.is_) and p.name not in values])
    unit, times = _result_unit(formula.unit, groups, str(matched.get("to", "")))
    how = {"formula": formula.is_} | ({"source": formula.source} if formula.source else {})
    main = calculate(formula.is_, values) * times
    results = [Measurement(formula.quantity, int(main) if unit == "count" and main % 1 == 0 else main, unit, found=how)]
    for row in (r for r in formula.also if names_used(r["is"]) <= set(values)):
        value = calculate(row["is"], values)
        said = row["yes" if value else "no"] if "yes" in row else value
        results.append(Measurement(row["quantity"], said, _unit_shown(row.get("unit", ""), groups), found={"formula": row["is"]}))
    shown = {p.name: _unit_shown(p.unit, groups) for p in formula.takes if p.name in values}
    inputs = {name: Measurement(f"{name.replace('_', ' ')} taken", values[name], unit) for name, unit in shown.items()}
    return Worked(tuple(results), inputs, (*formula.says, *told))


def _filled_up(values: dict[str, float], formula: Formula) -> list[str]:
    """Adds what was left out as far as it has a default; what is to be said of that."""
    told = []
    for name, default in formula.default.items():
        if name not in values and default != "" and names_used(str(default)) <= set(values):
            values[name] = float(calculate(str(default), values))
            told += [formula.taken[name]] if name in formula.taken else []
    return told


def _result_unit(unit: str, groups: Mapping[str, str], to: str) -> tuple[str, float]:
    """The unit of the result, and what it is multiplied by to be in it."""
    if unit != "to":
        return _unit_shown(unit, groups), 1.0
    have, want = groups.get("*v", ""), unit_named(to)
    if have not in units() or want not in units() or units()[have][0] != units()[want][0]:
        raise UnitsError(f"{have or 'a number without a unit'} cannot be given in {to}")
    return want, units()[have][1] / units()[want][1]


def _unit_shown(unit: str, groups: Mapping[str, str]) -> str:
    return groups.get(unit, "") if unit.startswith("*") else "" if unit in ("share", "factor", "word") else unit


def read_value(given: float | str, parameter: Parameter, groups: dict[str, str]) -> float:
    """A value as the parameter takes it, a text with its unit converted.

    Raises
    ------
    UnitsError : it is given in a unit that the parameter cannot have.
    EvidenceError : it is no number.

    >>> wavelength = Parameter("wavelength", "nm", ())
    >>> read_value("0.561 um", wavelength, {}), read_value("1:20", Parameter("d", "", ()), {})
    (561.0, 20.0)
    """
    name, unit = parameter.name.replace("_", " "), parameter.unit
    said = str(table("formulas", __package__)["words"].get(str(given).strip().lower(), given))
    ratio = re.fullmatch(r"\s*1\s*(?::|/|in|to)\s*([\d.]+)\s*", said)
    match = _NUMBER.fullmatch(ratio[1] if ratio else re.sub(r"(?<=\d)[,\s](?=\d{3}(?!\d))", "", said))
    if match is None:
        raise EvidenceError(f"the {name} must be a number{' in ' + unit if unit in units() else ''}, not {given}")
    value, own = float(match[1].replace(",", ".")), unit_named(match[2])
    if unit == "factor":
        return value if ratio or value >= 1 or not value else 1 / value
    if unit in ("share", "") and own == "%":
        return value / 100
    if unit == "share":
        return value / 100 if value > 1 else value
    if unit.startswith("*"):
        unit = groups.setdefault(unit, own)
    if not own or own == unit or unit not in units():
        return value
    if own not in units() or units()[own][0] != units()[unit][0]:
        raise UnitsError(f"the {name} is given in {match[2]}, which is not {unit}")
    return float(f"{value * units()[own][1] / units()[unit][1]:.12g}")
