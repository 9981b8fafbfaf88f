"""Token ids of mixed strings from transformers, for the tests of src/text/tokenizer.rs and src/dataset/tokenizer.rs.

    python tests/reference/tokenizer.py models/storybook/tokenizer.json tokenizer_cases
    imagen dataset tokenizer grammar.json && python tests/reference/tokenizer.py grammar.json grammar_tokenizer_cases

Writes tests/fixtures/NAME.json: for each string its ids without the padding, and whether it was cut off at 40.
"""
import json
import random
import sys
from pathlib import Path

from transformers import PreTrainedTokenizerFast

LENGTH = 40
COLOURS = "red orange yellow green blue purple pink white black brown".split()
KINDS = "house castle lighthouse tent pine tree flower mushroom car cat snowman sailboat fish balloon rocket duck kite".split()
PLACES = ["on a hill", "by the sea", "in the forest", "in the desert", "in space", "under a rainbow", "in the snow"]
TIMES = ["at night", "at dawn", "at sunset", "on a rainy day", ""]
SPECIAL = [
    "", " ", "\t\n", "a", "A", "</s>", "<pad>", "<unk>", "a </s> b", "a red<pad>house", "▁", "▁house", "house▁house",
    "\x00", "a\x00b", "\x01\x02\x1b[31mred\x7f", "zero\u200bwidth", "soft\u00adhyphen", "\ufeffmark", "line\r\nbreak",
    "  many   spaces  ", "\u3000wide\u3000space", "no\u00a0break", "e\u0301 and é", "ﬁre ﬂower", "Ｆｕｌｌ ｗｉｄｔｈ", "①②③ ½",
    "İstanbul ıI", "Straße GROẞ", "Дом на холме", "Ένα κόκκινο σπίτι", "赤い家", "一座红色的房子", "빨간 집", "بيت أحمر",
    "בית אדום", "लाल घर", "🏠🌙", "👩‍🚀 in space", "🇩🇪", "\U0010ffff", "\ud7ff\ue000", "ﷺ", "Å Å", "x" * 3000, "house " * 300,
    "red-house, blue_house; (a) [b] {c} 'd' \"e\"", "1234567890", "3.14159", "a/b\\c", "@#$%^&*()+=~`|<>?", "...", "!?!?",
    "A BIG YELLOW CAR", "a pink castle\nin the mountains", "https://example.org/?q=a+b", "<script>alert(1)</script>",
    "(red house:1.2)", "[cat|dog]", "house" * 50, "🏠" * 100, "\u0301" * 50, "naïve café", "“quoted” — dash…", "\u202eabc",
]


def strings():
    rng = random.Random(7)
    grammar = [
        f"{rng.choice(['a', 'two', 'three', 'a big', 'a small'])} {rng.choice(COLOURS)} {rng.choice(KINDS)} "
        f"{rng.choice(PLACES)} {rng.choice(TIMES)}".strip()
        for _ in range(60)
    ]
    pairs = [
        f"a {rng.choice(COLOURS)} {rng.choice(KINDS)} {rng.choice(['next to', 'above', 'left of'])} "
        f"a {rng.choice(COLOURS)} {rng.choice(KINDS)} {rng.choice(PLACES)}, illustration"
        for _ in range(30)
    ]
    alphabet = "abcdefghij XYZ  ,.-'éßøñ字日本ñ🏠🚀\t\n0123▁İ"
    noise = ["".join(rng.choice(alphabet) for _ in range(rng.randrange(1, 60))) for _ in range(60)]
    rare = ["two kittens below three pines", "a toadstool and two toadstools, on a sunny day", "a children's book of cottages"]
    return SPECIAL + grammar + pairs + noise + rare


def main():
    special = {"pad_token": "<pad>", "eos_token": "</s>", "unk_token": "<unk>", "padding_side": "right"}
    tokenizer = PreTrainedTokenizerFast(tokenizer_file=sys.argv[1], **special)
    cases = []
    for text in strings():
        padded = tokenizer(text, padding="max_length", max_length=LENGTH, truncation=True)
        whole = tokenizer(text, padding=False, truncation=False)["input_ids"]
        count = sum(padded["attention_mask"])
        assert padded["attention_mask"] == [1] * count + [0] * (LENGTH - count)
        assert padded["input_ids"][count:] == [0] * (LENGTH - count)
        cases.append({"text": text, "ids": padded["input_ids"][:count], "truncated": len(whole) > LENGTH})
    path = Path(__file__).parent.parent / "fixtures" / f"{sys.argv[2]}.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text("[\n" + ",\n".join(json.dumps(case) for case in cases) + "\n]\n")
    print(len(cases), "strings,", path.stat().st_size, "bytes")


if __name__ == "__main__":
    main()
