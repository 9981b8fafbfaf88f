"""A unigram vocabulary of T5's kind in its three forms, and token ids from transformers for 1,000 strings.

    python tests/reference/vocabulary.py       (transformers, sentencepiece, gguf, protobuf)

Trains a small SentencePiece model with T5's options (unigram, the nmt_nfkc charsmap, <pad> 0, </s> 1, <unk> 2) on the
strings themselves. Writes tests/fixtures/vocabulary/: `spiece.model`, `tokenizer.json` as transformers saves it for that
model, `vocabulary.gguf` with the keys that llama.cpp's converter writes for a T5, and `cases.json`.
"""
import json
import random
import shutil
import tempfile
from pathlib import Path

import gguf
import sentencepiece
from sentencepiece import sentencepiece_model_pb2
from transformers import T5Tokenizer

from tokenizer import strings

OUT = Path(__file__).parent.parent / "fixtures" / "vocabulary"
PIECES = 1600
# T5's tables are larger than its vocabulary.
TABLE = 1728
WORDS = (
    "the of and to in is house castle moon Haus Schloß Straße grün über maison château forêt été où casa árbol niño "
    "дом на холме ночью красный σπίτι κόκκινο λόφος 家 赤い 月 城 一座 红色 的 房子 晚上 빨간 집 언덕 بيت أحمر על גבעה लाल घर 🏠 🌙 🚀 👩‍🚀 é ﬁ Å ½ ① Ｆ "
    "\u00a0 \u3000 \u200b \u00ad \u0000 \u0001 \u001b \u007f \u0085 \u202e ▁ ▁▁ <extra_id_0> <extra_id_99> <extra_id_100> </s> <pad> <unk> 3.14 -- ' \" \\ \t \n"
).split(" ")


def cases():
    rng = random.Random(11)
    out = strings()
    while len(out) < 960:
        out.append(rng.choice([" ", " ", "", "  ", "\n"]).join(rng.choice(WORDS) for _ in range(rng.randrange(1, 14))))
    while len(out) < 995:
        # Any characters but surrogates, which no string has.
        points = [rng.choice([rng.randrange(0x20), rng.randrange(0xD800), rng.randrange(0xE000, 0x11_0000)]) for _ in range(30)]
        out.append("".join(map(chr, points)))
    return out + [" ".join(rng.choice(WORDS) for _ in range(n)) for n in (300, 400, 500, 600, 700)]


def main():
    texts = cases()
    assert len(texts) == 1000
    OUT.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        corpus = [t for text in texts[:960] for t in text.splitlines() if t.strip() and "\0" not in t and len(t) < 2000]
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(corpus), model_prefix=f"{folder}/spiece", vocab_size=PIECES, model_type="unigram",
            pad_id=0, eos_id=1, unk_id=2, bos_id=-1, character_coverage=0.99, hard_vocab_limit=False,
            normalization_rule_name="nmt_nfkc", num_threads=1,
        )
        shutil.copy(f"{folder}/spiece.model", OUT / "spiece.model")
        tokenizer = T5Tokenizer.from_pretrained(folder, vocab_file=f"{folder}/spiece.model")
        tokenizer.save_pretrained(f"{folder}/saved")
        shutil.copy(f"{folder}/saved/tokenizer.json", OUT / "tokenizer.json")
    model = sentencepiece_model_pb2.ModelProto()
    model.ParseFromString((OUT / "spiece.model").read_bytes())
    writer = gguf.GGUFWriter(OUT / "vocabulary.gguf", "t5")
    pieces = [(p.piece, p.score, p.type) for p in model.pieces]
    pieces += [(f"[PAD{i}]", -1000.0, 5) for i in range(len(pieces), TABLE)]
    writer.add_tokenizer_model("t5")
    writer.add_tokenizer_pre("default")
    writer.add_token_list([p[0].encode() for p in pieces])
    writer.add_token_scores([p[1] for p in pieces])
    writer.add_token_types([p[2] for p in pieces])
    writer.add_add_space_prefix(model.normalizer_spec.add_dummy_prefix)
    writer.add_remove_extra_whitespaces(model.normalizer_spec.remove_extra_whitespaces)
    writer.add_precompiled_charsmap(model.normalizer_spec.precompiled_charsmap)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    ids = [tokenizer(text)["input_ids"] for text in texts]
    (OUT / "cases.json").write_text(json.dumps([{"text": t, "ids": i} for t, i in zip(texts, ids)], ensure_ascii=False))
    print(len(model.pieces), "pieces; tokens", sum(map(len, ids)), "unknown", sum(i.count(2) for i in ids))



if __name__ == "__main__":
    main()
