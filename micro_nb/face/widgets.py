"""Widgets in a notebook that is executed without a browser: what they show is kept, and stands in their place on the page."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from nbclient import NotebookClient
from nbclient.output_widget import OutputWidget
from nbformat.v4 import new_output

from .mime import LIVE, VIEW

_REFERENCE = "IPY_MODEL_"


class _Caught(OutputWidget):
    """Collects what is printed into an output widget. It is not sent back to the kernel, where nobody looks at it: a message
    of more than about a megabyte on that channel makes the execution wait for ever."""

    def sync_state(self) -> None:
        pass


class WidgetClient(NotebookClient):
    """Executes notebooks and remembers what their widgets showed last."""

    def __init__(self, nb: Any, **how: Any) -> None:
        super().__init__(nb, **how)
        self.widget_registry = {"@jupyter-widgets/output": {"OutputModel": _Caught}}

    def settle(self) -> None:
        """Puts in place of every widget of the notebook its controls as a line of text, then what it showed."""
        for cell in self.nb.cells:
            if cell.cell_type == "code":
                cell.outputs = [shown for output in cell.outputs for shown in self._shown(output)]

    def _shown(self, output: Any) -> Iterator[Any]:
        if output.get("metadata", {}).get(LIVE):  # its picture is the output after it
            return
        data = output.get("data", {})
        if VIEW not in data or any(kind.startswith("image/") for kind in data):
            yield output
            return
        models = list(self._models(data[VIEW]["model_id"]))
        controls = "   ".join(text for model in models if (text := _control(model)))
        if controls:
            yield new_output("stream", name="stdout", text=controls + "\n")  # type: ignore[no-untyped-call]
        found = [inner for model in models for inner in model.get("outputs", ())]
        yield from found or ([] if controls else [output])

    def _models(self, model_id: str) -> Iterator[Mapping[str, Any]]:
        model = self.widget_state.get(model_id, {})
        yield model
        for child in model.get("children", ()):
            yield from self._models(str(child).removeprefix(_REFERENCE))


def _control(model: Mapping[str, Any]) -> str:
    """A control as ``name: value``; nothing for boxes and outputs."""
    labels, index = model.get("_options_labels"), model.get("index")
    value = labels[index] if labels and isinstance(index, int) else model.get("value")
    return f"{model['description']}: {value}" if model.get("description") and value is not None else ""
