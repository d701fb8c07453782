"""The packaged embedder's model in PyTorch, for training: its tokens, its layers, and its four-bit weights."""

from collections.abc import Sequence
from functools import cache, lru_cache
from typing import Any, Final, NamedTuple

import numpy as np
import torch
from torch.nn import functional

from kb.embedders import fine_tuned

WIDTH: Final = 384
LAYERS: Final = 12
HEADS: Final = 12
BLOCK: Final = 32  # numbers with a common scale
BATCH: Final = 64
_BYTES: Final = 2 + BLOCK // 2  # per block: a 16-bit scale, then two numbers per byte
_MATRICES: Final = {"q": WIDTH, "k": WIDTH, "v": WIDTH, "ao": WIDTH, "fi": WIDTH, "fo": 4 * WIDTH}  # names and inputs
_NORMS: Final = ("aln", "oln")
_SPACE: Final = "\u2581"
Layer = dict[str, Any]


class Words(NamedTuple):
    """The tokenizer's pieces with their numbers and scores, and the replacements of characters."""

    pieces: dict[str, int]
    scores: np.ndarray
    replaced: dict[str, str]
    first: int
    last: int
    unknown: int


@cache
def _image() -> bytes:
    return (fine_tuned.package_folder() / fine_tuned.MODEL).read_bytes()


@cache
def _places() -> dict[str, tuple[int, int]]:
    return fine_tuned.places_in(_image())


def numbers(name: str) -> np.ndarray:
    offset, size = _places()[name]
    return np.frombuffer(_image(), np.float32, size // 4, offset)


def matrix(name: str, inputs: int) -> np.ndarray:
    """Return a four-bit matrix as numbers, one row per output."""
    offset, size = _places()[name]
    blocks = np.frombuffer(_image(), np.uint8, size, offset).reshape(-1, _BYTES)
    scales, pairs = blocks[:, :2].copy().view(np.float16).astype(np.float32), blocks[:, 2:]
    values = np.concatenate([pairs & 15, pairs >> 4], axis=1).astype(np.float32) - 8
    return (values * scales).reshape(-1, inputs)


def layer(at: int) -> Layer:
    matrices = {f"{name}.w": matrix(f"l{at}.{name}.w", inputs) for name, inputs in _MATRICES.items()}
    biases = {f"{name}.b": numbers(f"l{at}.{name}.b") for name in (*_MATRICES, *_NORMS)}
    scales = {f"{name}.w": numbers(f"l{at}.{name}.w") for name in _NORMS}
    return {name: torch.from_numpy(value.copy()) for name, value in {**matrices, **biases, **scales}.items()}


def passed(one: Layer, seen: torch.Tensor, is_text: torch.Tensor) -> torch.Tensor:
    """Return a layer's output for a batch: texts x tokens x WIDTH."""
    texts, words, _ = seen.shape

    def heads(name: str) -> torch.Tensor:
        made = functional.linear(seen, one[f"{name}.w"], one[f"{name}.b"])
        return made.reshape(texts, words, HEADS, WIDTH // HEADS).transpose(1, 2)

    mixed = functional.scaled_dot_product_attention(
        heads("q"), heads("k"), heads("v"), attn_mask=is_text[:, None, None, :].bool()
    ).transpose(1, 2)
    mixed = functional.linear(mixed.reshape(texts, words, WIDTH), one["ao.w"], one["ao.b"])
    seen = _normed(seen + mixed, one["aln.w"], one["aln.b"])
    inner = functional.gelu(functional.linear(seen, one["fi.w"], one["fi.b"]))
    return _normed(seen + functional.linear(inner, one["fo.w"], one["fo.b"]), one["oln.w"], one["oln.b"])


def _normed(seen: torch.Tensor, scale: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
    return functional.layer_norm(seen.float(), (WIDTH,), scale, bias, eps=1e-12)


def pooled(seen: torch.Tensor, is_text: torch.Tensor) -> torch.Tensor:
    """Return the vectors of a batch, normalised to length 1."""
    means = (seen * is_text[..., None]).sum(1) / is_text.sum(1, keepdim=True)
    return means / means.norm(dim=1, keepdim=True)


def quickly() -> torch.autocast:
    """Return a context in which matrices are multiplied in 16 bits: four times as fast on new processors."""
    return torch.autocast("cpu", dtype=torch.bfloat16)


@torch.no_grad()
def states(texts: Sequence[str], *, layers: int, most_tokens: int) -> list[np.ndarray]:
    """Return the output of the first layers for each text, read as a question: tokens x WIDTH, in 16 bits."""
    found = [tokens(f"query: {text}")[:most_tokens] for text in texts]
    words, places = matrix("emb.word", WIDTH), numbers("emb.pos").reshape(-1, WIDTH) + numbers("emb.type")[:WIDTH]
    lower = tuple(layer(at) for at in range(layers))
    order = np.argsort([len(one) for one in found])
    made: list[np.ndarray] = [np.empty(0)] * len(texts)
    for start in range(0, len(order), BATCH):
        chosen = order[start : start + BATCH]
        longest = -(-len(found[chosen[-1]]) // 8) * 8
        seen, is_text = np.zeros((BATCH, longest, WIDTH), np.float32), np.zeros((BATCH, longest), np.float32)
        is_text[:, 0] = 1
        for at, text in enumerate(found[one] for one in chosen):
            seen[at, : len(text)], is_text[at, : len(text)] = words[text] + places[: len(text)], 1
        after = _lower(lower, torch.from_numpy(seen), torch.from_numpy(is_text)).numpy()
        for at, one in enumerate(chosen):
            made[one] = after[at, : len(found[one])].astype(np.float16)
    return made


def _lower(lower: Sequence[Layer], seen: torch.Tensor, is_text: torch.Tensor) -> torch.Tensor:
    scale, bias = (torch.from_numpy(numbers(f"emb.ln.{one}").copy()) for one in "wb")
    seen = _normed(seen, scale, bias)
    with quickly():
        for one in lower:
            seen = passed(one, seen, is_text)
    return seen


class Rounded(torch.autograd.Function):
    """A function that rounds a matrix to four bits; gradients pass as if nothing had been rounded."""

    @staticmethod
    def forward(_: Any, values: torch.Tensor) -> torch.Tensor:
        blocks = values.reshape(values.shape[0], -1, BLOCK)
        scales = _scales(blocks)
        return ((blocks / scales).round_().clamp_(-8, 7) * scales).reshape(values.shape)

    @staticmethod
    def backward(_: Any, slopes: torch.Tensor) -> torch.Tensor:  # type: ignore[override]
        return slopes


def _scales(blocks: torch.Tensor) -> torch.Tensor:
    """Return one scale per block, with which the block's largest number becomes -8."""
    least, most = torch.aminmax(blocks, dim=-1, keepdim=True)
    largest = torch.where(most > -least, most, least) / -8
    return torch.where(largest == 0, 1e-8, largest).half().float()


def packed(values: np.ndarray) -> np.ndarray:
    """Return a tensor in the format of the model's file: four bits per value for a matrix, 32 for a vector."""
    if values.ndim == 1:
        return values.astype(np.float32)
    blocks = values.reshape(values.shape[0], -1, BLOCK)
    scales = _scales(torch.from_numpy(blocks)).numpy()
    found = (np.clip(np.round(blocks / scales), -8, 7) + 8).astype(np.uint8).reshape(-1, BLOCK)
    halves = found[:, : BLOCK // 2] | (found[:, BLOCK // 2 :] << 4)
    return np.concatenate([scales.reshape(-1, 1).astype(np.float16).view(np.uint8), halves], axis=1)


def tokens(text: str) -> list[int]:
    """Return a text's tokens as the engine makes them: the numbers of the pieces with the highest sum of scores."""
    known = _words()
    marked = "".join(known.replaced.get(sign, sign) for sign in text)
    while "  " in marked:
        marked = marked.replace("  ", " ")
    words = (marked if marked.startswith(" ") else f" {marked}").split(" ")[1:]
    return [known.first, *(piece for word in words for piece in _pieces_of(_SPACE + word)), known.last]


@lru_cache(maxsize=100_000)
def _pieces_of(marked: str) -> list[int]:
    """Return the pieces of one word; no piece has the mark of a space anywhere but at its beginning."""
    known = _words()
    best, came = [0.0] + [-1e30] * len(marked), [(0, 0)] * (len(marked) + 1)
    longest, least = _longest(), float(known.scores.min()) - 10
    for start in range(len(marked)):
        for end in range(start + 1, min(len(marked), start + longest) + 1):
            piece = known.pieces.get(marked[start:end], known.unknown)
            if piece == known.unknown and end > start + 1:
                continue
            score = best[start] + (least if piece == known.unknown else float(known.scores[piece]))
            if score > best[end]:
                best[end], came[end] = score, (piece, start)
    found, at = [], len(marked)
    while at:
        piece, at = came[at]
        found.append(piece)
    return found[::-1]


@cache
def _longest() -> int:
    return max(map(len, _words().pieces))


@cache
def _words() -> Words:
    image, at = _image(), fine_tuned._HEADER.size
    count, first, last, _, unknown, size = fine_tuned._PIECES.unpack_from(image, at)
    at += fine_tuned._PIECES.size
    offsets = np.frombuffer(image, np.uint32, count + 1, at)
    scores = np.frombuffer(image, np.float32, count, at + 4 * (count + 1))
    start = at + 4 * (count + 1) + 4 * count
    texts = [image[start + offsets[one] : start + offsets[one + 1]].decode("utf-8", "replace") for one in range(count)]
    pieces: dict[str, int] = {}
    for number, text in enumerate(texts):
        pieces.setdefault(text, number)
    replaced = _replaced(image, start + size)
    return Words(pieces, scores, replaced, first, last, unknown)


def _replaced(image: bytes, at: int) -> dict[str, str]:
    count = int(np.frombuffer(image, np.int32, 1, at)[0])
    at, found = at + 8, {}
    for _ in range(count):
        letters = image[at + 4]
        signs = np.frombuffer(image[at : at + 4] + image[at + 5 : at + 5 + 4 * letters], np.uint32)
        found[chr(signs[0])] = "".join(map(chr, signs[1:]))
        at += 5 + 4 * letters
    return found
