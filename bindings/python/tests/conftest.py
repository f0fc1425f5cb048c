"""Models and texts of the project's own tests."""

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
FIXTURES = ROOT / "crates/gradus/tests/fixtures"
os.environ.setdefault("HF_HUB_OFFLINE", "1")


@pytest.fixture(scope="session")
def small():
    return str(FIXTURES / "models/bert-small")


@pytest.fixture(scope="session")
def cross():
    return str(FIXTURES / "cross_encoders/bert")


@pytest.fixture(scope="session")
def texts():
    words = ["dog", "park", "cat", "is", "in", "two", "birds", "man", "book", "the"]
    return [" ".join(words[(i * k + k) % 10] for k in range(1, 3 + i % 6)) for i in range(700)]
