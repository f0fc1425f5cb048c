"""Writes crates/gradus/src/hub/sick_splits.bin from the released files of SICK.

The hub has all of SICK in one file. The list says which of its pairs belong to
which of the released splits, by hashes alone: eight bytes a pair, in the order
of the released files (4,500 of train, 500 of trial, 4,927 of test). The first
five bytes are the beginning of SHA-256 of the pair's key, the last three that
of the key with the grade in thousandths. A pair's key is its two sentences,
lower-cased and without anything but letters and digits, with a tab between.
Some pairs occur in more than one split, most of them with another grade there.

    GRADUS_DATA=../shared/data python crates/gradus/tests/reference/sick_splits.py
"""

import hashlib
import os
import pathlib

SIZES = {"train": 4500, "trial": 500, "test_annotated": 4927}


def letters(text):
    return "".join(c for c in text.lower() if c.isalnum())


def entry(first, second, grade):
    key = letters(first) + "\t" + letters(second)
    graded = f"{key}\t{round(float(grade) * 1000)}"
    digest = lambda text: hashlib.sha256(text.encode()).digest()
    return digest(key)[:5] + digest(graded)[:3]


def main():
    released = pathlib.Path(os.environ.get("GRADUS_DATA", "../shared/data")) / "sick"
    entries, texts, grades = [], {}, {}
    for name, size in SIZES.items():
        lines = (released / f"SICK_{name}.txt").read_text(encoding="utf-8").splitlines()
        rows = [line.split("\t") for line in lines[1:] if line.strip()]
        assert len(rows) == size, f"{name}: {len(rows)} pairs"
        for _, first, second, grade, _ in rows:
            entries.append(entry(first, second, grade))
            # No two keys, and no two grades of one key, may share a hash.
            pair = (letters(first), letters(second))
            assert texts.setdefault(entries[-1][:5], pair) == pair, pair
            assert grades.setdefault(entries[-1], float(grade)) == float(grade), pair
    to = pathlib.Path(__file__).parents[2] / "src/hub/sick_splits.bin"
    to.write_bytes(b"".join(entries))
    print(f"{to}: {len(entries)} pairs, {len(texts)} different")


if __name__ == "__main__":
    main()
