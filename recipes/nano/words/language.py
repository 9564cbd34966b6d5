"""Micro-D1 ``small``: a language model learns, by LoRA and a projector, to read what Micro-D1 saw and to word evidence.

    python -m words.language words/small.yaml --out work/small

The eyes and the language model's own weights stay as they are. What is kept is the adapter and the projector. Given again, the
line goes on where it was.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from layout import read_folder
from safetensors.torch import load_file
from split import Split
from torch import nn

from micro_nb.errors import ImageNotFoundError, MissingExtraError
from micro_nb.learn.loop import Loop, write_tensors
from micro_nb.learn.recipe import Pace, RecipeError, entries
from micro_nb.learn.sample import Sample
from micro_nb.learn.scenes import generated
from micro_nb.models.micro_d1 import MicroD1ForConditionalGeneration, MicroD1Model
from micro_nb.models.micro_d1.language_micro_d1 import IGNORED
from micro_nb.models.ontology import ontology
from micro_nb.tasks.load import load_model, quiet

from .facts import known
from .features import Features, views
from .lessons import Lesson, lessons

PROJECTOR, ADAPTER, CARD = "projector.safetensors", "adapter", "small.json"


@dataclass(frozen=True, kw_only=True)
class LanguageRecipe(Pace):
    """How a language model is taught; ``small.yaml`` says what each entry means."""

    eyes: str = "nano"
    language: str = "HuggingFaceTB/SmolLM2-135M-Instruct"
    name: str = "small"
    data: Sequence[str] = ()
    scenes: Mapping[str, int] = field(default_factory=dict)
    copies: int = 1
    steps: int = 6000
    batch: int = 16
    objects: int = 64
    tokens: int = 320
    rank: int = 16
    alpha: int = 32
    dropout: float = 0.05
    targets: Sequence[str] = ("q_proj", "v_proj")
    rate: float = 3e-4
    projector_rate: float = 1e-3
    decay: float = 0.01
    warmup: int = 200
    cooldown: float = 0.9
    save_every: int = 500

    @classmethod
    def load(cls, path: str | os.PathLike[str], **changes: Any) -> LanguageRecipe:
        """A YAML file, such as ``small.yaml``.

        Raises
        ------
        RecipeError : it is not there, or names what no such recipe has.
        """
        return cls(**entries(path, tuple(f.name for f in fields(cls)), changes)[1])

    def features(self, eyes: MicroD1Model) -> list[Features]:
        """What the eyes see of the scenes and of the training part of the data."""
        stored = [s for place in self.data for s in read_folder(place)]
        samples = [*generated(self.scenes, seed=self.seed), *Split.read("nano").take(stored, "train")]
        if not samples:
            raise RecipeError("neither data nor scenes: there is nothing to speak of")
        return told(samples, views(samples, eyes, copies=self.copies, seed=self.seed))


class Spoken(nn.Module):
    """Eyes and a language model that learn to speak; the eyes stay as they are."""

    def __init__(self, eyes: MicroD1Model, language: Any) -> None:
        super().__init__()
        self.model = MicroD1ForConditionalGeneration.joined(eyes, language)
        self.model.vision.requires_grad_(False)

    def train(self, mode: bool = True) -> Spoken:
        """As always, but the eyes look as they do."""
        super().train(mode)
        self.model.vision.train(False)
        return self

    def forward(self, batch: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        """How badly answers are foretold."""
        return {"loss": self.model(**batch).loss}


class LanguageTrainer:
    """Teaches the adapter and the projector.

    Parameters
    ----------
    recipe : how.
    seen : views to speak of; None: those of the recipe.
    eyes, language, tokenizer : loaded already; None: those that the recipe names.

    Attributes
    ----------
    model : the joined model; ``model.language`` carries the adapter.
    """

    def __init__(
        self, recipe: LanguageRecipe, seen: Sequence[Features] | None = None, *, eyes: MicroD1Model | None = None,
        language: Any = None, tokenizer: Any = None,
    ) -> None:  # fmt: skip
        self.recipe, eyes = recipe, eyes or load_model(recipe.eyes)
        if language is None:
            language, tokenizer = _language(recipe.language)
        self.tokenizer, self.views = tokenizer, list(recipe.features(eyes) if seen is None else seen)
        self.spoken = Spoken(eyes, adapted(language, recipe))
        self.model, self.lessons = self.spoken.model, lessons(self.views, seed=recipe.seed)

    def run(self, out: str | os.PathLike[str]) -> Loop:
        """All steps that are left; what was learnt is written to ``out`` at the end."""
        folder, recipe = Path(out), self.recipe
        adapter = [p for p in self.model.language.parameters() if p.requires_grad]
        groups = ((adapter, recipe.rate), (self.model.projector.parameters(), recipe.projector_rate))
        fixed = {k: v for k, v in asdict(recipe).items() if k not in ("steps", "save_every", "name", "data")}
        loop = Loop(
            self.spoken, self.draw, recipe, groups, folder=folder, recipe=fixed, what=f"teaching {recipe.name}", log_every=1
        )
        loop.run()
        self.model.language.save_pretrained(folder / ADAPTER, save_embedding_layers=False)
        write_tensors(self.model.projector.state_dict(), folder / PROJECTOR)
        (folder / CARD).write_text(json.dumps(asdict(recipe), indent=1), encoding="utf-8")
        return loop

    def draw(self, step: int) -> dict[str, torch.Tensor]:
        """The batch of a step."""
        rng = np.random.default_rng([self.recipe.seed, step])
        return self.batch([self.lessons[int(k)] for k in rng.integers(len(self.lessons), size=self.recipe.batch)], rng)

    def batch(self, drawn: Sequence[Lesson], rng: np.random.Generator) -> dict[str, torch.Tensor]:
        """Tensors of lessons; only answers are learnt, and places behind them are not looked at."""
        rows = [encoded(lesson, self.tokenizer, self.recipe.tokens) for lesson in drawn]
        longest = max(len(ids) for ids, _ in rows)
        ids, labels = (torch.full((len(rows), longest), fill) for fill in (0, IGNORED))
        mask = torch.zeros(len(rows), longest, dtype=torch.long)
        for k, (words, start) in enumerate(rows):
            ids[k, : len(words)] = torch.tensor(words)
            labels[k, start : len(words)] = ids[k, start : len(words)]
            mask[k, : len(words)] = 1
        seen = torch.stack([torch.from_numpy(self.views[lesson.view].seen.astype(np.float32)) for lesson in drawn])
        return {
            "input_ids": ids, "labels": labels, "attention_mask": mask, "seen": seen, "pooled": self._objects(drawn, rng),
        }  # fmt: skip

    def _objects(self, drawn: Sequence[Lesson], rng: np.random.Generator) -> torch.Tensor:
        """``(B, N, D)``: as many objects of each view as the poorest has, drawn at random, at most ``recipe.objects``."""
        pooled = [self.views[lesson.view].pooled for lesson in drawn]
        n = min([self.recipe.objects, *(len(p) for p in pooled)])
        return torch.from_numpy(np.stack([p[rng.permutation(len(p))[:n]] for p in pooled]).astype(np.float32))


def told(samples: Sequence[Sample], seen: Sequence[Features]) -> list[Features]:
    """Views with what their sample says of modality and specimen, which generated scenes know and others are told by data set."""
    each, out = len(seen) // len(samples), []
    for k, view in enumerate(seen):
        said = {v for key, v in samples[k // each].facts.items() if key in ("modality", "specimen") and v in ontology()}
        out.append(replace(view, facts=known({*view.facts.present, *said}, view.facts.unknown, view.facts.caption)))
    return out


def adapted(language: Any, recipe: LanguageRecipe) -> Any:
    """A language model whose LoRA alone learns (Hu et al. 2022).

    Raises
    ------
    MissingExtraError : peft is not installed.
    """
    try:
        from peft import LoraConfig, get_peft_model
    except ImportError:
        raise MissingExtraError("teaching a language model needs peft; try pip install 'micro-nb[llm]'") from None
    config = LoraConfig(
        r=recipe.rank, lora_alpha=recipe.alpha, lora_dropout=recipe.dropout, target_modules=list(recipe.targets),
        task_type="CAUSAL_LM",
    )  # fmt: skip
    return get_peft_model(language, config)


def encoded(lesson: Lesson, tokenizer: Any, longest: int) -> tuple[list[int], int]:
    """Token ids of a lesson, and where its answer starts; the front of what is too long is left out."""
    before = tokenizer(asked(lesson.prompt, tokenizer), add_special_tokens=False)["input_ids"]
    after = tokenizer(f" {lesson.answer}", add_special_tokens=False)["input_ids"] + [tokenizer.eos_token_id]
    before = before[-max(longest - len(after), 1) :]
    return before + after, len(before)


def asked(prompt: str, tokenizer: Any) -> str:
    """A prompt in the model's own chat template, where it has one."""
    if not tokenizer.chat_template:
        return prompt
    chat = [{"role": "user", "content": prompt}]
    return str(tokenizer.apply_chat_template(chat, add_generation_prompt=True, tokenize=False))


def load_language(
    folder: str | os.PathLike[str], *, eyes: MicroD1Model | None = None, language: Any = None
) -> MicroD1ForConditionalGeneration:
    """The joined model with the adapter and projector that a training wrote.

    Parameters
    ----------
    folder : where it wrote.
    eyes, language : loaded already; None: those that its recipe names.

    Raises
    ------
    ImageNotFoundError : the folder holds no such training.
    """
    from peft import PeftModel

    at = Path(folder)
    if not (at / CARD).is_file():
        raise ImageNotFoundError(f"{at}: no {CARD} here; give the folder of a training of language")
    recipe = LanguageRecipe(**json.loads((at / CARD).read_text(encoding="utf-8")))
    language = language if language is not None else _language(recipe.language)[0]
    model = MicroD1ForConditionalGeneration.joined(
        eyes or load_model(recipe.eyes), PeftModel.from_pretrained(language, at / ADAPTER)
    )
    model.projector.load_state_dict(load_file(at / PROJECTOR))
    model.train(False)
    return model


def _language(where: str) -> tuple[Any, Any]:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    with quiet():
        return AutoModelForCausalLM.from_pretrained(where, use_safetensors=True), AutoTokenizer.from_pretrained(where)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recipe", help="a .yaml file")
    parser.add_argument("--out", type=Path, default=Path("work/small"))
    parser.add_argument("--steps", type=int)
    args = parser.parse_args()
    changes = {"steps": args.steps} if args.steps else {}
    loop = LanguageTrainer(LanguageRecipe.load(args.recipe, **changes)).run(args.out)
    print(json.dumps({"steps": loop.step, "last": loop.lines[-1]}))


if __name__ == "__main__":
    main()
