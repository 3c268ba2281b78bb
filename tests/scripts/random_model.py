#!/usr/bin/env python3
"""random_model.py REAL.gguf OUT.gguf [SEED]: a model that knows nothing.

Writes a tiny llama with random weights whose vocabulary, special tokens and chat template are copied
byte for byte from REAL. What it generates under a grammar shows what the grammar alone guarantees.
The same seed gives the same file. Python's standard library only.
"""

import array
import random
import struct
import sys

LAYERS, EMBD, HEADS, HEADS_KV, FF, CONTEXT = 2, 64, 4, 2, 128, 8192
U32, F32, STRING, ARRAY = 4, 6, 8, 9
SIZES = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}
TYPE_F32, TYPE_Q8_0 = 0, 8
ALIGNMENT = 32


class Reader:
    """Metadata of a GGUF file: for every key its entry's bytes and, of an array, the count."""

    def __init__(self, path):
        with open(path, "rb") as file:
            self.bytes = file.read(1 << 25)
        self.at = 0
        magic, version, _, count = struct.unpack("<4sIQQ", self.take(24))
        if magic != b"GGUF" or version not in (2, 3):
            raise ValueError(f"{path} is not a GGUF file of version 2 or 3")
        self.entries = {}
        for _ in range(count):
            start = self.at
            key = self.take(self.number("<Q")).decode()
            n = self.skip_value(self.number("<I"))
            self.entries[key] = (self.bytes[start:self.at], n)

    def take(self, n):
        if self.at + n > len(self.bytes):
            raise ValueError("the metadata is longer than expected")
        self.at += n
        return self.bytes[self.at - n:self.at]

    def number(self, form):
        return struct.unpack(form, self.take(struct.calcsize(form)))[0]

    def skip_value(self, kind):
        count = 1
        if kind == ARRAY:
            kind, count = self.number("<I"), self.number("<Q")
        if kind != STRING:
            self.take(SIZES[kind] * count)
        else:
            for _ in range(count):
                self.take(self.number("<Q"))
        return count


def string(text):
    data = text.encode()
    return struct.pack("<Q", len(data)) + data


def entry(key, kind, form, value):
    return string(key) + struct.pack("<I", kind) + (
        string(value) if kind == STRING else struct.pack(form, value))


def q8_0(rng, n, scale):
    """n random values: blocks of an f16 scale and 32 bytes (never -128, as quantisers write them)."""
    data = bytearray(rng.randbytes(n // 32 * 34).replace(b"\x80", b"\x81"))
    low, high = struct.pack("<e", scale / 74)  # of the bytes' spread
    data[0::34] = bytes([low]) * (n // 32)
    data[1::34] = bytes([high]) * (n // 32)
    return bytes(data)


def tensors(rng, n_vocab, nan):
    """(name, dims, type, data) of each."""
    ones = array.array("f", [1.0] * EMBD).tobytes()
    kv = EMBD // HEADS * HEADS_KV
    matrices = [("attn_q", EMBD, EMBD), ("attn_k", EMBD, kv), ("attn_v", EMBD, kv),
                ("attn_output", EMBD, EMBD), ("ffn_gate", EMBD, FF), ("ffn_up", EMBD, FF),
                ("ffn_down", FF, EMBD)]
    # Logits spread by about 1.6: lively, yet every token has its chance.
    yield "token_embd.weight", (EMBD, n_vocab), TYPE_Q8_0, q8_0(rng, EMBD * n_vocab, 0.2)
    yield "output_norm.weight", (EMBD,), TYPE_F32, \
        array.array("f", [float("nan")] * EMBD).tobytes() if nan else ones
    for i in range(LAYERS):
        for name in ("attn_norm", "ffn_norm"):
            yield f"blk.{i}.{name}.weight", (EMBD,), TYPE_F32, ones
        for name, k, n in matrices:
            yield f"blk.{i}.{name}.weight", (k, n), TYPE_Q8_0, q8_0(rng, k * n, k ** -0.5)


def padding(n):
    return b"\0" * (-n % ALIGNMENT)


def write(real, out, seed=1, nan=False):
    """nan: a model whose every logit is NaN."""
    entries = Reader(real).entries
    n_vocab = entries["tokenizer.ggml.tokens"][1]
    metadata = [entry("general.architecture", STRING, "", "llama"),
                entry("general.name", STRING, "", f"random weights, seed {seed}")]
    for key, value in (("block_count", LAYERS), ("embedding_length", EMBD),
                       ("feed_forward_length", FF), ("context_length", CONTEXT),
                       ("attention.head_count", HEADS), ("attention.head_count_kv", HEADS_KV)):
        metadata.append(entry("llama." + key, U32, "<I", value))
    metadata.append(entry("llama.attention.layer_norm_rms_epsilon", F32, "<f", 1e-5))
    metadata += [data for key, (data, _) in entries.items() if key.startswith("tokenizer.")]
    infos, data = b"", b""
    count = 0
    for name, dims, kind, values in tensors(random.Random(seed), n_vocab, nan):
        infos += string(name) + struct.pack("<I", len(dims))
        infos += struct.pack(f"<{len(dims)}Q", *dims) + struct.pack("<IQ", kind, len(data))
        data += values + padding(len(values))
        count += 1
    head = struct.pack("<4sIQQ", b"GGUF", 3, count, len(metadata)) + b"".join(metadata) + infos
    with open(out, "wb") as file:
        file.write(head + padding(len(head)) + data)


if __name__ == "__main__":
    if len(sys.argv) not in (3, 4):
        sys.exit(__doc__)
    write(sys.argv[1], sys.argv[2], int(sys.argv[3]) if len(sys.argv) == 4 else 1)
