"""The packaged embedder's model in JAX, for training: its tokens, its layers, and its four-bit weights."""

from collections.abc import Sequence
from functools import cache, partial
from typing import Any, Final, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

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
    return {name: jnp.asarray(value) for name, value in {**matrices, **biases, **scales}.items()}


def passed(one: Layer, seen: Any, is_text: Any) -> Any:
    """Return a layer's output for a batch: texts x tokens x WIDTH."""
    texts, words, _ = seen.shape

    def heads(name: str) -> Any:
        made = seen @ one[f"{name}.w"].T + one[f"{name}.b"]
        return made.reshape(texts, words, HEADS, WIDTH // HEADS).transpose(0, 2, 1, 3)

    near = jnp.einsum("bhqd,bhkd->bhqk", heads("q"), heads("k")) / np.sqrt(WIDTH / HEADS)
    shares = jax.nn.softmax(near + (is_text[:, None, None, :] - 1) * 1e9, axis=-1)
    mixed = jnp.einsum("bhqk,bhkd->bhqd", shares, heads("v")).transpose(0, 2, 1, 3).reshape(texts, words, WIDTH)
    seen = _normed(seen + mixed @ one["ao.w"].T + one["ao.b"], one["aln.w"], one["aln.b"])
    inner = jax.nn.gelu(seen @ one["fi.w"].T + one["fi.b"], approximate=False)
    return _normed(seen + inner @ one["fo.w"].T + one["fo.b"], one["oln.w"], one["oln.b"])


def _normed(seen: Any, scale: Any, bias: Any) -> Any:
    centred = seen - seen.mean(-1, keepdims=True)
    return centred * jax.lax.rsqrt((centred**2).mean(-1, keepdims=True) + 1e-12) * scale + bias


def pooled(seen: Any, is_text: Any) -> Any:
    """Return the vectors of a batch, normalised to length 1."""
    means = (seen * is_text[..., None]).sum(1) / is_text.sum(1, keepdims=True)
    return means / jnp.linalg.norm(means, axis=1, keepdims=True)


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
        after = np.asarray(_lower(lower, seen, is_text))
        for at, one in enumerate(chosen):
            made[one] = after[at, : len(found[one])].astype(np.float16)
    return made


@partial(jax.jit)
def _lower(lower: Sequence[Layer], seen: Any, is_text: Any) -> Any:
    seen = _normed(seen, numbers("emb.ln.w"), numbers("emb.ln.b"))
    for one in lower:
        seen = passed(one, seen, is_text)
    return seen


def rounded(values: Any) -> Any:
    """Return a matrix after rounding to four bits."""
    blocks = values.reshape(values.shape[0], -1, BLOCK)
    scales = _scales(blocks)
    return (jnp.clip(jnp.round(blocks / scales), -8, 7) * scales).reshape(values.shape)


def _scales(blocks: Any) -> Any:
    """Return one scale per block, with which the block's largest number becomes -8."""
    largest = jnp.take_along_axis(blocks, jnp.argmax(jnp.abs(blocks), -1, keepdims=True), -1) / -8
    return jnp.where(largest == 0, 1e-8, largest).astype(jnp.float16).astype(jnp.float32)


def packed(values: np.ndarray) -> np.ndarray:
    """Return a tensor in the format of the model's file: a matrix in four bits, a vector in 32."""
    if values.ndim == 1:
        return values.astype(np.float32)
    blocks = values.reshape(values.shape[0], -1, BLOCK)
    scales = np.asarray(_scales(blocks))
    found = (np.clip(np.round(blocks / scales), -8, 7) + 8).astype(np.uint8).reshape(-1, BLOCK)
    halves = found[:, : BLOCK // 2] | (found[:, BLOCK // 2 :] << 4)
    return np.concatenate([scales.reshape(-1, 1).astype(np.float16).view(np.uint8), halves], axis=1)


def tokens(text: str) -> list[int]:
    """Return a text's tokens as the engine makes them: the numbers of the pieces with the highest sum of scores."""
    known = _words()
    marked = "".join(known.replaced.get(sign, sign) for sign in text)
    while "  " in marked:
        marked = marked.replace("  ", " ")
    marked = (marked if marked.startswith(" ") else f" {marked}").replace(" ", _SPACE)
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
    return [known.first, *reversed(found), known.last]


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
