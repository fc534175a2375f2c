"""Ask other estimators, each in the way that its own code says it is meant to be asked.

Runs in the environment of ``compare-requirements.txt``, started by
``python -m lab.compare``: reads questions, writes answers, both as JSON.  It
knows nothing of hayasa.

A question is a published measurement of one sequence on one device.  Where an
estimator has a table of devices or models, its own entry counts; where it
takes numbers instead, it gets the datasheet's.  What it has no way to be told
(a backend, a format, a kind of model) it is not asked.
"""

# They are not installed where this project is checked.
# mypy: disable-error-code="import-not-found"

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import iaexplore_llm_profiler as iaexplore
import llmcalculator
import ridgepoint
import servcalc
from iaexplore_llm_profiler.data import HARDWARE_DB, QUANTIZATION_BITS
from llm_cal.architecture.profile import ArchitectureProfile, Confidence, Family, MoETraits
from llm_cal.hardware.loader import load_database
from llm_cal.performance.compute import estimate_decode
from servcalc.gpus import SPECS
from vramcalc import Arch

Question = dict[str, Any]

GIB = 2**30


def key(name: str) -> str:
    """Return what is alike in all spellings of a name."""
    return re.sub(r"[^a-z0-9]|nvidia|geforce|amd|gb$", "", name.lower())


def named(question: Question, names: dict[str, str]) -> str | None:
    """Return the entry of a table that a device is in; `names` maps spellings to entries."""
    known = {key(name): entry for name, entry in names.items()}
    return next((known[key(name)] for name in question["device_names"] if key(name) in known), None)


def ask_servcalc(question: Question) -> float | None:
    """vLLM, and llama.cpp as its profile of ollama; dense models on CUDA."""
    quants = {
        "vllm": {"bf16": None, "f16": None, "fp8": "fp8", "awq-int4-g128": "awq", "gptq-int4-g128": "gptq"},
        "llama.cpp": {
            "f16": None, "bf16": None, "q8_0": "gguf_q8_0", "q6_k": "gguf_q6_k", "q5_k_m": "gguf_q5_k_m",
            "q4_k_m": "gguf_q4_k_m", "q4_0": "gguf_q4_0",
        },
    }  # fmt: skip
    formats = quants.get(question["engine"], {})
    if question["weights"] not in formats or not question["dense"] or question["backend"] != "cuda":
        return None
    arch = Arch(
        hidden_size=question["hidden_size"],
        num_layers=question["layers"],
        num_heads=question["attention_heads"],
        num_kv_heads=question["kv_heads"],
        head_dim=question["head_dim"],
        intermediate_size=question["intermediate_size"],
        vocab_size=question["vocab_size"],
        tie_word_embeddings=question["tied_embeddings"],
        attention_bias=question["qkv_bias"],
        norms_per_layer=question["norms_per_layer"],
    )
    gpu: str | servcalc.GpuSpec | None = named(question, {name: name for name in SPECS})
    if gpu is None:
        if not question["fp16_tflops"]:
            return None
        gpu = servcalc.GpuSpec(
            question["device"], int(question["memory_bytes"]), question["bandwidth_gb_s"], question["fp16_tflops"]
        )
    # A speed between tokens there counts the next prompt, too: with one of a single token, and as many
    # tokens written that the mean context is the one asked for, it is the speed of decoding.
    prompt, tokens = 1, max(2, 2 * question["context"])
    quant = formats[question["weights"]]
    if question["engine"] == "vllm":
        profile = servcalc.profiles.vllm(quant=quant)
    else:
        profile = servcalc.profiles.ollama(num_parallel=1, num_ctx=prompt + tokens, quant=quant)
    answer = servcalc.estimate(
        arch,
        gpu,
        workload=servcalc.Workload(prompt, tokens, (1,)),
        profile=profile,
        weight_bytes=int(question["weight_bytes"]),
    )
    return float(answer.points[0].seq_tok_s.mid)


def ask_ridgepoint(question: Question) -> float | None:
    """vLLM, SGLang and llama.cpp on the GPUs of its table."""
    engine = {"vllm": "vllm", "sglang": "sglang", "llama.cpp": "llamacpp"}.get(question["engine"])
    dtypes = {
        "f16": "fp16", "bf16": "bf16", "fp8": "fp8", "awq-int4-g128": "awq", "gptq-int4-g128": "gptq",
        "q4_0": "q4_0", "q4_k_m": "q4_k_m", "q5_k_m": "q5_k_m", "q6_k": "q6_k", "q8_0": "q8_0",
        "q3_k_m": "q3_k_m", "q2_k": "q2_k",
    }  # fmt: skip
    gpus = (
        "a100-40gb", "a100-80gb", "h100-80gb", "h200-141gb", "b200-192gb", "l40s-48gb", "mi300x-192gb",
        "rtx3090-24gb", "rtx4090-24gb", "rtx5090-32gb",
    )  # fmt: skip
    spellings = {name: name for name in gpus} | {name.rpartition("-")[0]: name for name in gpus if "a100" not in name}
    gpu, dtype = named(question, spellings), dtypes.get(question["weights"])
    if engine is None or gpu is None or dtype is None or not question["has_shape"]:
        return None
    if question["kv_lora_rank"]:
        geometry = ("mla", 0, 0, 0, question["kv_lora_rank"], question["qk_rope_head_dim"])
    else:
        geometry = ("gqa", question["head_dim"], question["attention_heads"], question["kv_heads"], 0, 0)
    answer = ridgepoint._core.fit_shape(
        question["model"], question["layers"], question["full_attention_layers"], question["hidden_size"],
        int(question["parameters"]), int(question["active_parameters"]), *geometry,
        gpu, 1, engine, dtype, "fp16", max(1, question["context"]), max(1, question["prompt"]), True,
    )  # fmt: skip
    return float(json.loads(answer)["speed"]["decode_tok_s"]["best"])


def ask_iaexplore(question: Question) -> float | None:
    """Any model and device by numbers, with the efficiency of its table where it knows the device."""
    quant = {"f16": "FP16"}.get(question["weights"], question["weights"].upper())
    if quant not in QUANTIZATION_BITS or not question["has_shape"]:
        return None
    spellings = {one["name"]: id_ for id_, one in HARDWARE_DB.items()} | {id_: id_ for id_ in HARDWARE_DB}
    known = named(question, spellings | {re.sub(r"-\d+gb$", "", id_): id_ for id_ in HARDWARE_DB})
    hardware = HARDWARE_DB.get(known or "") or {
        "vram_gb": question["memory_bytes"] / GIB,
        "bandwidth_gb_s": question["bandwidth_gb_s"],
    }
    model = {
        "total_params_b": question["parameters"] / 1e9,
        "active_params_b": question["active_parameters"] / 1e9,
        "num_hidden_layers": question["layers"],
        "num_attention_heads": question["attention_heads"],
        "num_key_value_heads": question["kv_heads"] or question["attention_heads"],
        "head_dim": question["head_dim"],
    }
    answer = iaexplore.profile_inference(model, hardware, quant, context=question["context"])
    # Where it counts on parts of a model in the host's memory, the measurement had none.
    return float(answer.offload.full_gpu_tps_reference)


def ask_llmcalculator(question: Question) -> float | None:
    """Any model and device by numbers, in the formats of its table."""
    other = {
        "f16": "fp16", "mlx-q4": "mlx-4bit", "mlx-q8": "mlx-8bit", "mlx-f16": "fp16", "mlx-bf16": "bf16",
        "awq-int4-g128": "awq-4bit", "gptq-int4-g128": "gptq-4bit", "bnb-nf4": "nf4",
    }  # fmt: skip
    quant = str(other.get(question["weights"], question["weights"]))
    if quant.lower() not in llmcalculator.quant.FORMATS or not question["has_shape"]:
        return None
    bandwidth, tflops = llmcalculator.hardware.gpu_db.lookup(question["device_name"])
    gpu = llmcalculator.Accelerator(
        name=question["device_name"],
        vendor=question["vendor"],
        memory_bytes=int(question["memory_bytes"]),
        bandwidth_gbs=bandwidth or question["bandwidth_gb_s"],
        fp16_tflops=tflops or question["fp16_tflops"],
        unified_memory=question["unified_memory"],
    )
    cpu = llmcalculator.CPU(name="CPU", cores=16, threads=32, bandwidth_gbs=question["bandwidth_gb_s"])
    machine = llmcalculator.HardwareProfile(cpu=cpu, ram_bytes=int(question["memory_bytes"]), accelerators=[gpu])
    model = llmcalculator.ModelSpec(
        name=question["model"],
        params=question["parameters"],
        active_params=question["active_parameters"],
        n_layers=question["layers"],
        hidden_size=question["hidden_size"],
        n_heads=question["attention_heads"],
        n_kv_heads=question["kv_heads"] or question["attention_heads"],
        head_dim=question["head_dim"],
        vocab_size=question["vocab_size"],
        max_context=max(question["context"], 2**20),
    )
    device = "cpu" if question["backend"] == "cpu" else "auto"
    answer = llmcalculator.estimate(
        model, machine, quant_name=quant, context=max(1, question["context"]), device=device
    )
    return answer.tokens_per_sec or None


def ask_llm_cal(question: Question) -> float | None:
    """VLLM and SGLang on the GPUs of its table, from the bytes of the weights; of experts the active ones."""
    if question["engine"] not in ("vllm", "sglang"):
        return None
    gpus = load_database().gpus
    spellings = {name: gpu.id for gpu in gpus for name in (gpu.id, *gpu.aliases)}
    spellings |= {re.sub(r"G$", "GB", name): id_ for name, id_ in spellings.items()}
    id_ = named(question, spellings)
    if id_ is None:
        return None
    experts = question["experts"]
    moe = MoETraits(experts, question["shared_experts"], question["experts_per_token"], 0) if experts else None
    profile = ArchitectureProfile(
        "", (), Family.TRANSFORMER, question["layers"], question["hidden_size"], question["vocab_size"],
        Confidence.HIGH, moe=moe,
    )  # fmt: skip
    shared = question["shared_experts"]
    answer = estimate_decode(
        profile,
        int(question["weight_bytes"]),
        next(gpu for gpu in gpus if gpu.id == id_),
        1,
        moe_active_params_ratio=(question["experts_per_token"] + shared) / (experts + shared) if experts else None,
    )
    # On one GPU nothing is communicated.
    if answer.moe_active_tokens_per_sec is not None:
        return float(answer.moe_active_tokens_per_sec.value / answer.cluster_comm_efficiency)
    return float(answer.per_gpu_tokens_per_sec.value)


def ask_llmfit(question: Question) -> float | None:
    """Models of its catalogue, on a profile of the device; the path that its plan calls gpu."""
    other = {
        "f16": "F16", "bf16": "BF16", "mlx-q4": "mlx-4bit", "mlx-q6": "mlx-6bit", "mlx-q8": "mlx-8bit",
        "awq-int4-g128": "AWQ-4bit", "gptq-int4-g128": "GPTQ-Int4",
    }  # fmt: skip
    quant = other.get(question["weights"], question["weights"].upper())
    catalogue = _llmfit_catalogue()
    model = next((catalogue[name.lower()] for name in question["model_names"] if name.lower() in catalogue), None)
    if model is None:
        return None
    return _llmfit(
        model,
        quant,
        question["backend"] == "cpu",
        question["bandwidth_gb_s"],
        question["fp16_tflops"],
        question["memory_bytes"] / GIB,
        question["unified_memory"],
    )


def _run_llmfit(*arguments: str) -> str:
    program = Path(sys.executable).with_name("llmfit")
    return subprocess.run([program, *arguments], capture_output=True, text=True, timeout=60, check=False).stdout


@cache
def _llmfit_catalogue() -> dict[str, str]:
    return {one["name"].lower(): one["name"] for one in json.loads(_run_llmfit("list", "--json"))}


@cache
def _llmfit(
    model: str, quant: str, cpu: bool, bandwidth: float, tflops: float, memory_gib: float, unified: bool
) -> float | None:
    hardware = {
        "ddr_bandwidth_gbps": bandwidth if unified or cpu else 60.0,
        "gpu_memory_bandwidth_gbps": bandwidth,
        "gpu_compute_tflops_fp16": tflops or None,
        "total_ram_gb": memory_gib if unified or cpu else 128.0,
        "unified_memory": unified,
    }
    with tempfile.TemporaryDirectory() as folder:
        profile = Path(folder) / "asked.json"
        matched = {"gpu_name_contains": "asked"}
        profile.write_text(json.dumps({"schema_version": 1, "name": "asked", "hardware": hardware, "match": matched}))
        said = _run_llmfit("--profile", str(profile), "plan", model, "--context", "512", "--quant", quant, "--json")
    if not said.startswith("{"):
        return None
    paths = {one["path"]: one["estimated_tps"] for one in json.loads(said)["run_paths"]}
    speed = paths["cpu_only" if cpu else "gpu"]
    return None if speed is None else float(speed)


ESTIMATORS: dict[str, Callable[[Question], float | None]] = {
    "llmfit": ask_llmfit,
    "servcalc": ask_servcalc,
    "ridgepoint": ask_ridgepoint,
    "iaexplore-llm-profiler": ask_iaexplore,
    "llmcalculator": ask_llmcalculator,
    "llm-cal": ask_llm_cal,
}


def main() -> None:
    """Answer all questions of a file."""
    questions = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    answers = {name: {one["id"]: ask(one) for one in questions} for name, ask in ESTIMATORS.items()}
    Path(sys.argv[2]).write_text(json.dumps(answers), encoding="utf-8")


if __name__ == "__main__":
    main()
