"""Micro-D1 ``small``: a language model learns, by LoRA and a projector, to read what Micro-D1 saw and to word evidence.

    micro-nb train small --out runs/small

The eyes and the language model's own weights stay as they are. What is kept is the adapter and the projector.
"""

from __future__ import annotations

import csv
import json
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file, save_file

from ..errors import ImageNotFoundError, MissingExtraError, WriteError
from ..models.micro_d1 import MicroD1ForConditionalGeneration, MicroD1Model
from ..models.micro_d1.language_micro_d1 import IGNORED
from ..models.ontology import ontology
from ..progress import Progress
from ..tasks.load import load_model, quiet
from .facts import known
from .features import Features, views
from .lessons import Lesson, lessons
from .recipe import RUNS, RecipeError, entries, read_data
from .scenes import generated
from .shards import Sample
from .split import Split
from .training import Training

PROJECTOR, ADAPTER, LOG, CARD = "projector.safetensors", "adapter", "log.csv", "small.json"


@dataclass(frozen=True)
class LanguageRecipe:
    """How a language model is taught; ``recipes/small.yaml`` says what each entry means."""

    eyes: str = "nano"
    language: str = "HuggingFaceTB/SmolLM2-135M-Instruct"
    name: str = "small"
    data: Sequence[str] = ()
    split: str | None = None
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
    seed: int = 0
    save_every: int = 500

    @classmethod
    def load(cls, path: str | os.PathLike[str], **changes: Any) -> LanguageRecipe:
        """A recipe of the package (``"small"``) or a YAML file.

        Raises
        ------
        RecipeError : it is not there, or names what no such recipe has.
        """
        return cls(**entries(path, tuple(f.name for f in fields(cls)), changes)[1])

    def features(self, eyes: MicroD1Model) -> list[Features]:
        """What the eyes see of the scenes and of the training part of the data."""
        samples = list(generated(self.scenes, seed=self.seed))
        stored = [s for place in self.data for s in read_data(place)]
        samples += Split.read(self.split).take(stored, "train") if self.split else stored
        if not samples:
            raise RecipeError("neither data nor scenes: there is nothing to speak of")
        return told(samples, views(samples, eyes, copies=self.copies, seed=self.seed))


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
    losses : of every step so far.
    """

    def __init__(
        self, recipe: LanguageRecipe, seen: Sequence[Features] | None = None, *, eyes: MicroD1Model | None = None,
        language: Any = None, tokenizer: Any = None,
    ) -> None:  # fmt: skip
        torch.manual_seed(recipe.seed)
        self.recipe, self.losses = recipe, list[float]()
        eyes = eyes or load_model(recipe.eyes)
        if language is None:
            language, tokenizer = _language(recipe.language)
        self.tokenizer, self.views = tokenizer, list(recipe.features(eyes) if seen is None else seen)
        self.model = MicroD1ForConditionalGeneration.joined(eyes, adapted(language, recipe))
        self.lessons = lessons(self.views, seed=recipe.seed)
        self.rng = np.random.default_rng(recipe.seed)
        adapter = [p for p in self.model.language.parameters() if p.requires_grad]
        groups = [
            {"params": adapter, "lr": recipe.rate},
            {"params": list(self.model.projector.parameters()), "lr": recipe.projector_rate},
        ]
        self.optimizer = torch.optim.AdamW(groups, weight_decay=recipe.decay)
        self.schedule = torch.optim.lr_scheduler.LambdaLR(self.optimizer, self._share)

    def run(self, out: str | os.PathLike[str]) -> Path:
        """All steps; what was learnt is written to ``out`` now and then, and at the end."""
        folder = Path(out)
        self.model.train()
        self.model.vision.train(False)
        with Progress(f"teaching {self.recipe.name}", self.recipe.steps, "steps") as progress:
            for step in range(1, self.recipe.steps + 1):
                self.losses.append(self.step())
                if step % self.recipe.save_every == 0 or step == self.recipe.steps:
                    self.save(folder)
                progress.advance()
        return folder

    def step(self) -> float:
        """One step on a batch drawn at random."""
        drawn = [self.lessons[int(k)] for k in self.rng.integers(len(self.lessons), size=self.recipe.batch)]
        loss = self.model(**self.batch(drawn)).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_([p for group in self.optimizer.param_groups for p in group["params"]], 1.0)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        self.schedule.step()
        return float(loss.detach())

    def batch(self, drawn: Sequence[Lesson]) -> dict[str, torch.Tensor]:
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
            "input_ids": ids, "labels": labels, "attention_mask": mask, "seen": seen, "pooled": self._objects(drawn),
        }  # fmt: skip

    def save(self, folder: Path) -> None:
        """Adapter, projector, recipe and losses; not the eyes, nor the language model."""
        folder.mkdir(parents=True, exist_ok=True)
        self.model.language.save_pretrained(folder / ADAPTER, save_embedding_layers=False)
        save_file(self.model.projector.state_dict(), folder / PROJECTOR)
        (folder / CARD).write_text(json.dumps(asdict(self.recipe), indent=1), encoding="utf-8")
        with (folder / LOG).open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([("step", "loss"), *enumerate(self.losses, 1)])

    def _objects(self, drawn: Sequence[Lesson]) -> torch.Tensor:
        """``(B, N, D)``: as many objects of each view as the poorest has, drawn at random, at most ``recipe.objects``."""
        pooled = [self.views[lesson.view].pooled for lesson in drawn]
        n = min([self.recipe.objects, *(len(p) for p in pooled)])
        chosen = [p[self.rng.permutation(len(p))[:n]] for p in pooled]
        return torch.from_numpy(np.stack(chosen).astype(np.float32))

    def _share(self, step: int) -> float:
        """Linear rise, then a cosine down to a tenth."""
        rise = min(1.0, (step + 1) / max(1, self.recipe.warmup))
        return rise * (0.55 + 0.45 * float(np.cos(np.pi * min(1.0, step / max(1, self.recipe.steps)))))


def teach(source: Any, *, out: str | os.PathLike[str] | None, changes: Mapping[str, Any]) -> Training:
    """Follows a recipe for language: what ``micro_nb.train`` does with one.

    Raises
    ------
    RecipeError : the recipe cannot be followed.
    WriteError : ``out`` holds a training already.
    """
    recipe = replace(source, **changes) if isinstance(source, LanguageRecipe) else LanguageRecipe.load(source, **changes)
    folder = Path(out) if out is not None else RUNS / recipe.name
    if (folder / CARD).exists():
        raise WriteError(f"{folder} holds a training of language, which is not gone on with; choose another folder with out=")
    began, trainer = time.perf_counter(), LanguageTrainer(recipe)
    trainer.run(folder)
    lines = [{"step": step, "loss": loss} for step, loss in enumerate(trainer.losses, 1)]
    return Training(folder, len(lines), time.perf_counter() - began, lines)


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
