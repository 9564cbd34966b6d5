"""Other assistants measure over the Model Context Protocol, in the folders that were named and in no others."""

import asyncio
import base64
import importlib.metadata
import json
import sys

import pytest
import tifffile
from jsonschema import Draft202012Validator
from scenes import discs

from micro_nb.errors import EvidenceError, ImageNotFoundError, LanguageError
from micro_nb.session.language import parse
from micro_nb.session.mcp import Bench, _no_network, open_microscope_image

mcp = pytest.importorskip("mcp")
COUNT = 'count("nucleus")'


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "images" / "day 1").mkdir(parents=True)
    for name in ("images/discs.tif", "images/day 1/more.tif", "secret.tif"):
        tifffile.imwrite(tmp_path / name, discs().read())
    return tmp_path / "images"


@pytest.fixture
def bench(folder):
    return Bench([folder], eyes="floor")


def test_a_client_opens_looks_measures_and_is_told_the_language(folder):
    from mcp import ClientSession, StdioServerParameters, stdio_client

    command = StdioServerParameters(
        command=sys.executable, args=["-m", "micro_nb.face.cli", "mcp", str(folder), "--eyes", "floor"]
    )

    async def talk():
        async with stdio_client(command) as (read, write), ClientSession(read, write) as session:
            await session.initialize()
            tools = (await session.list_tools()).tools
            said = {"tools": {t.name: t for t in tools}}
            for key, name, given in (
                ("open", "open", {"path": "discs.tif"}), ("look", "look", {"image": "discs.tif"}),
                ("measure", "measure", {"image": "discs.tif", "expression": COUNT}), ("describe", "describe", {}),
                ("outside", "open", {"path": "../secret.tif"}), ("export", "measure", {"image": "discs.tif",
                "expression": f"export({COUNT})"}),
            ):  # fmt: skip
                said[key] = await session.call_tool(name, given)
            return said

    said = asyncio.run(asyncio.wait_for(talk(), 240))
    assert set(said["tools"]) == {"open", "look", "measure", "describe"}
    assert all(t.annotations.model_dump(by_alias=True)["readOnlyHint"] for t in said["tools"].values())
    assert json.loads(said["open"].content[0].text)["sizes"] == {"y": 180, "x": 200}
    assert base64.b64decode(said["look"].content[0].data).startswith(b"\x89PNG")
    measured = json.loads(said["measure"].content[0].text)
    assert (measured["value"], measured["unit"], measured["evidence"][0]["expression"]) == (8, "count", COUNT)
    assert "measure('count(\"nucleus\")')" in measured["code"]
    assert "- count(objects)" in said["describe"].content[0].text
    for key, reason in (("outside", "is not in the served folders"), ("export", "is not offered here")):
        assert said[key].model_dump(by_alias=True)["isError"]
        assert reason in said[key].content[0].text


@pytest.mark.parametrize(
    "path",
    ["../secret.tif", "day 1/../../secret.tif", "/etc/passwd", "https://evil.example/x.zarr", "s3://bucket/x.zarr",
    "file:///etc/passwd",
     "sample:cell", "//server/share/x.tif", "x\0.tif", "nowhere.tif", "~/x.tif"],
)  # fmt: skip
def test_nothing_outside_of_the_folders_is_opened(bench, path):
    with pytest.raises(EvidenceError, match="served folders"):
        bench.open(path)


def test_links_are_followed_before_they_are_judged(bench, folder):
    (folder / "link.tif").symlink_to(folder.parent / "secret.tif")
    (folder / "inner.tif").symlink_to(folder / "discs.tif")
    (folder / "store.ome.zarr").mkdir()
    (folder / "store.ome.zarr" / "0").symlink_to(folder.parent)
    with pytest.raises(EvidenceError, match="served folders"):
        bench.open("link.tif")
    with pytest.raises(EvidenceError, match="holds links"):
        bench.open("store.ome.zarr")
    assert json.loads(bench.open("inner.tif"))["image"] == "inner.tif"
    assert json.loads(bench.open(str(folder / "day 1" / "more.tif")))["dtype"] == "uint8"


def test_a_folder_must_be_there(folder):
    with pytest.raises(ImageNotFoundError, match="is no folder"):
        Bench([folder / "discs.tif"])


@pytest.mark.parametrize(
    "expression",
    [
        "__import__('os').system('ls')",
        "open('/etc/passwd')",
        'set(pixel_size="1 um")',
        "undo()",
        f"how(export({COUNT}))",
        "x" * 700,
    ],
)
def test_only_measurements_are_measured_and_nothing_is_written(bench, folder, expression, monkeypatch):
    monkeypatch.chdir(folder)
    before = sorted(folder.rglob("*"))
    with pytest.raises(LanguageError):
        bench.measure("discs.tif", expression)
    assert sorted(folder.rglob("*")) == before


def test_what_is_not_measurable_says_why(bench):
    told = json.loads(bench.measure("discs.tif", 'image("objective")'))
    assert "does not record" in told["declined"]
    assert told["evidence"] == []


def test_the_schema_takes_every_example_and_no_other_call(bench):
    from micro_nb.session.measures.registry import measures

    text = bench.describe()
    schema = Draft202012Validator(json.loads(text[text.rindex("The same as JSON, ") + 18 :]))
    for m in measures().values():
        for example in filter(None, m.examples.values()) if m.group != "talking" else ():
            assert schema.is_valid(parse(example).to_dict()), example
    assert not schema.is_valid({"call": "export", "args": ["nucleus"]})
    assert not schema.is_valid(parse('compare(count("a"), count("b"), how="guess")').to_dict())


def test_the_network_is_closed():
    with pytest.raises(PermissionError, match="no network"):
        _no_network("socket.connect", ())
    _no_network("open", ())


def test_jupyters_server_finds_the_tools_and_stays_in_its_folder(folder, monkeypatch):
    (point,) = (p for p in importlib.metadata.entry_points(group="jupyter_server_mcp.tools") if p.name == "micro_nb")
    for spec in point.load():
        module, _, name = spec.partition(":")
        assert callable(getattr(importlib.import_module(module), name))
    monkeypatch.chdir(folder)
    monkeypatch.setattr("micro_nb.session.mcp._here", lambda: Bench(["."]))
    assert json.loads(open_microscope_image("discs.tif"))["sizes"] == {"y": 180, "x": 200}
    with pytest.raises(EvidenceError):
        open_microscope_image("../secret.tif")
