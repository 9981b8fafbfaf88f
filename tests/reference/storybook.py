"""How often the scenes that storybook was trained on show and say what: expected counts for src/dataset/tests/grammar.rs.

    python tests/reference/storybook.py STORYBOOK_DIR      (numpy; nothing is drawn, so skia may be missing)

STORYBOOK_DIR is the folder with storybook's Python renderer (scenes.py). Writes tests/fixtures/storybook_scenes.json:
of SCENES scenes and their captions, how many things have each kind, colour, count and size, which pairs of kind and colour there are, and
how many scenes have each relation, place, time and weather; and how often three words follow
each other, where K stands for any name of a thing, KS for its plural and C for a colour, ^ and $ for the ends, and "a" for
"an" as well (the renderer says "a orange scarf"). And the words that are no piece of the tokenizer.
"""
import collections
import importlib
import json
import sys
import types
from pathlib import Path

FIXTURES = Path(__file__).resolve().parent.parent / "fixtures"
TOKENIZER = FIXTURES.parent.parent / "models/storybook/tokenizer.json"
SCENES = 100_000


def load(folder):
    sys.path.insert(0, folder)
    sys.dont_write_bytecode = True
    if importlib.util.find_spec("skia") is None:
        sys.modules["skia"] = types.ModuleType("skia")
    return importlib.import_module("scenes")


def words(text, names):
    """The words of a caption; commas are words, and names of things are one."""
    parts = text.replace(",", " ,").split()
    out, i = ["^"], 0
    while i < len(parts):
        for length in (3, 2, 1):
            if (kind := names.get(" ".join(parts[i:i + length]))):
                out.append(kind)
                break
        else:
            length = 1
            out.append("a" if parts[i] == "an" else parts[i])
        i += length
    return out + ["$"]


def main(folder):
    scenes = load(folder)
    pieces = {piece for piece, _ in json.loads(TOKENIZER.read_text())["model"]["vocab"]}
    names = {name: "KS" for kind in scenes.KINDS.values() for name in kind[2]}
    names |= {name: "K" for kind in scenes.KINDS.values() for name in kind[1]}
    names |= {name: "C" for name in [*scenes.COLORS, "violet"]}
    counts, triples, spelt = collections.defaultdict(collections.Counter), collections.Counter(), set()
    for seed in range(SCENES):
        meta = scenes.Scene(1_000_000 + seed).meta
        for key, of in dict(relation="relation", place="backdrop", time="time", weather="weather", rainbow="rainbow").items():
            counts[key][str(meta[of])] += 1
        for group in meta["groups"]:
            for key, of in dict(kind="kind", colour="color", count="count", size="size").items():
                counts[key][str(group[of])] += 1
            counts["pair"][f"{group['color']} {group['kind']}"] += 1
        spelt.update(word for word in meta["caption"].replace(",", "").split() if "▁" + word not in pieces)
        said = words(meta["caption"], names)
        triples.update(" ".join(said[i:i + 3]) for i in range(len(said) - 2))
    out = dict(scenes=SCENES, counts=counts, spelt=sorted(spelt), triples=dict(sorted(triples.items())))
    text = json.dumps(out, indent=0).replace('": {\n', '": {').replace(",\n", ", ")
    (FIXTURES / "storybook_scenes.json").write_text(text + "\n")
    print(len(triples), "triples", len(text), "bytes")


if __name__ == "__main__":
    main(sys.argv[1])
