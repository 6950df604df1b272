"""Checking a rule's condition: its grammar, its names, and by trial its types."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from lamplight_kit.errors import Problem

from lamplight_alert import expressions
from lamplight_alert.expressions import Atom, Reference, atoms, counted_classes, references
from lamplight_alert.model import Over
from lamplight_alert.scopes import CAMERA_STATES, HEALTH_WORDS, SAMPLES, Scope, names_of, sample

# Evaluates a text once: (result, "") or (None, what is wrong).
Trial = Callable[[str, Scope], tuple[object, str]]
Grammar = Callable[[str], str]

_CLOSED_WORDS: Mapping[tuple[str, ...], Sequence[str]] = {
    ("camera", "state"): CAMERA_STATES,
    ("camera", "health"): HEALTH_WORDS,
}
_ZONE_NAMES = {("thing", "zones"), ("match", "zones"), ("zone", "id")}


@dataclass(frozen=True)
class ConditionCheck:
    """What conditions are checked with: the grammar's complaint (empty: none), a trial, and the known classes."""

    grammar: Grammar
    trial: Trial
    countable: Collection[str]
    classes: Collection[str]

    def problems(self, path: str, when: str, over: Over | None) -> list[Problem]:
        """Return every problem of a condition over `over`; None is some word that is no such thing."""
        if not when.strip():
            return [Problem(path, when, "a condition in CEL", "say when to tell")]
        complaint = self.grammar(when)
        if complaint:
            return [Problem(path, when, "a condition in CEL", complaint)]
        scope = sample(over, {*self.countable, *counted_classes(when)})
        found = [problem for atom in atoms(when) for problem in self._atom_problems(path, atom, over, scope)]
        return found or list(self._try(path, when, 0, scope))

    def warnings(self, when: str, zones: Collection[str]) -> list[str]:
        """Return what is odd: classes that no model is known to tell, zones that no chosen camera has."""
        if self.grammar(when):
            return []
        found = [*self._odd_counts(when)]
        for atom in atoms(when):
            if expressions.calls(atom.tokens):
                continue
            paths = {reference.path[:2] for reference in references(atom.tokens)}
            if ("thing", "class_name") in paths:
                found += [_odd("class", word, self.classes) for word in _strings(atom) if word not in self.classes]
            if paths & _ZONE_NAMES:
                found += [_odd("zone", word, zones) for word in _strings(atom) if word not in zones]
        return list(dict.fromkeys(found))

    def _odd_counts(self, when: str) -> Iterator[str]:
        for name in counted_classes(when):
            if name not in self.countable:
                yield _odd("class", name, self.countable)

    def _atom_problems(self, path: str, atom: Atom, over: Over | None, scope: Scope) -> list[Problem]:
        """Return what is wrong with a part's names and words; where these are right, with its types."""
        named = [problem for name in references(atom.tokens) for problem in _name_problem(path, name, over)]
        return [*named, *_word_problems(path, atom)] or list(self._try(path, atom.text, atom.start, scope))

    def _try(self, path: str, text: str, start: int, scope: Scope) -> Iterator[Problem]:
        result, complaint = self.trial(text, scope)
        where = f"at character {start + 1}"
        if complaint:
            yield Problem(path, text, "a condition that can be evaluated", f"mend it {where}: {complaint}")
        elif not isinstance(result, bool):
            kind = type(result).__name__
            yield Problem(path, text, "true or false", f"it gives a {kind} {where}; compare it with something")


def _name_problem(path: str, reference: Reference, over: Over | None) -> Iterator[Problem]:
    root, *rest = reference.path
    seen = names_of(over)
    whole = ".".join(reference.path)
    if root not in seen:
        cure = f"`{root}` is seen by rules `over: {root}`" if root in SAMPLES else _did_you_mean(root, seen)
        yield Problem(path, whole, f"a name of {' or '.join(seen)}", cure)
        return
    if not rest:
        return
    fields = SAMPLES[root]
    if rest[0] not in fields:
        expected = f"one of {', '.join(f'{root}.{name}' for name in fields)}"
        yield Problem(path, whole, expected, _did_you_mean(rest[0], fields, f"{root}."))
    elif len(rest) > 1 and rest[0] != "counts":
        yield from _deeper_problem(path, whole, rest, fields[rest[0]])


def _deeper_problem(path: str, whole: str, rest: Sequence[str], held: object) -> Iterator[Problem]:
    if not isinstance(held, dict):
        yield Problem(path, whole, f"a name without `.{rest[1]}`", "it holds no further names")
    elif rest[1] not in held:
        prefix = whole.rpartition(".")[0] + "."
        yield Problem(path, whole, f"one of {', '.join(held)}", _did_you_mean(rest[1], held, prefix))


def _word_problems(path: str, atom: Atom) -> Iterator[Problem]:
    """Find words that `camera.state` and `camera.health` never hold."""
    if expressions.calls(atom.tokens):
        return
    for reference in references(atom.tokens):
        words = _CLOSED_WORDS.get(reference.path[:2])
        for word in _strings(atom) if words is not None else ():
            if words is not None and word not in words:
                yield Problem(path, word, f"one of {', '.join(words)}", _did_you_mean(word, words))


def _strings(atom: Atom) -> tuple[str, ...]:
    return expressions.literals(atom.tokens)


def _odd(kind: str, word: str, words: Iterable[str]) -> str:
    where = "of the default models" if kind == "class" else "of the cameras that it chooses"
    close = difflib.get_close_matches(word, list(words), n=1)
    hint = f"; did you mean {close[0]!r}?" if close else ""
    return f"{kind} {word!r} is none {where}{hint}"


def _did_you_mean(word: str, words: Iterable[str], prefix: str = "") -> str:
    choice = list(words)
    close = difflib.get_close_matches(word, choice, n=1, cutoff=0.5)
    return f"did you mean {prefix}{close[0]}?" if close else f"it has {', '.join(choice)}"
