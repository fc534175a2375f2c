"""What tools print, from 2023 to 2026: every form is read, nothing that speaks of a speed is dropped."""

from __future__ import annotations

import json

import pytest

from hayasa import read_report
from hayasa.reports.run import BOTH, DECODE, PROMPT, backend_name

BENCH = """\
| model                          |       size |     params | backend    | ngl | fa |            test |                  t/s |
| ------------------------------ | ---------: | ---------: | ---------- | --: | -: | --------------: | -------------------: |
"""


def bench(row: str) -> str:
    return BENCH + row + "\n"


# What is printed, and what it says: kind, tokens per second, and more by the names of `Run`.
FORMS: dict[str, tuple[str, str, float, dict[str, object]]] = {
    # ---------------------------------------------------------------- llama-bench
    "bench": (
        bench("| llama 7B Q4_0 | 3.56 GiB | 6.74 B | CUDA | 99 | 1 | tg128 | 161.20 ± 0.30 |"),
        DECODE, 161.2,
        {"tool": "llama-bench", "architecture": "llama", "weights": "Q4_0", "decode_tokens": 128, "backend": "cuda",
         "file_bytes": pytest.approx(3.56 * 2**30, abs=1), "parameters": 6.74e9, "gpu_layers": 99},
    ),
    "bench-2023": (
        "| model | backend | ngl | test | t/s |\n| --- | --- | --- | --- | --- |\n"
        "| LLaMA 7B mostly Q4_0 | CUDA | 99 | tg 128 | 132.70 ± 0.57 |\n",
        DECODE, 132.7, {"architecture": "llama", "weights": "mostly Q4_0", "decode_tokens": 128},
    ),
    "bench-opencl": (
        "| model          |       size |     params | backend    | ngl | test       |              t/s |\n"
        "| -------------- | ---------: | ---------: | ---------- | --: | ---------- | ---------------: |\n"
        "| llama 13B Q6_K |   9.95 GiB |    13.02 B | OpenCL     |   0 | tg 128     |      4.45 ± 0.05 |\n",
        DECODE, 4.45, {"backend": "opencl", "gpu_layers": 0, "weights": "Q6_K"},
    ),
    "bench-threads": (
        "| model | size | params | backend | threads | test | t/s |\n| - | -: | -: | - | -: | -: | -: |\n"
        "| llama 8B Q4_K - Medium | 4.58 GiB | 8.03 B | CPU | 16 | tg64 | 8.53 ± 0.02 |\n",
        DECODE, 8.53, {"backend": "cpu", "gpu_layers": None, "weights": "Q4_K - Medium"},
    ),
    "bench-metal": (
        "| model | size | params | backend | threads | fa | mmap | test | t/s |\n| - | - | - | - | - | - | - | - | - |\n"
        "| qwen2 70B Q4_0 | 38.39 GiB | 72.71 B | Metal,BLAS | 16 | 1 | 0 | tg32 | 14.99 ± 0.01 |\n",
        DECODE, 14.99, {"backend": "metal", "architecture": "qwen2", "parameters": 72.71e9},
    ),
    "bench-mtl": (
        bench("| gpt-oss 20B MXFP4 MoE | 11.27 GiB | 20.91 B | MTL,BLAS | 4 | 1 | tg32 | 69.11 ± 0.10 |"),
        DECODE, 69.11, {"backend": "metal", "architecture": "gpt-oss", "weights": "MXFP4 MoE"},
    ),
    "bench-depth": (
        bench("| deepseek2 30B.A3B IQ4_XS - 4.25 bpw | 15.15 GiB | 29.94 B | Vulkan | 99 | 1 | tg128 @ d4096 | 41.81 ± 0.01 |"),
        DECODE, 41.81, {"depth": 4096, "context_length": 4160, "weights": "IQ4_XS - 4.25 bpw", "backend": "vulkan"},
    ),
    "bench-prompt": (
        bench("| qwen3moe 30B.A3B Q4_K - Medium | 17.28 GiB | 30.53 B | ROCm | 99 | 1 | pp2048 @ d8192 | 812.3 ± 4.2 |"),
        PROMPT, 812.3, {"prompt_tokens": 2048, "depth": 8192, "architecture": "qwen3moe", "backend": "rocm"},
    ),
    "bench-both": (
        bench("| llama 1B Q4_K - Medium | 636.18 MiB | 1.10 B | Vulkan | 99 | 0 | pp4096+tg128 | 9752.17 ± 68.03 |"),
        BOTH, 9752.17, {"prompt_tokens": 4096, "decode_tokens": 128, "file_bytes": pytest.approx(636.18 * 2**20, abs=1)},
    ),
    "bench-scout": (
        bench("| llama4 17Bx16E (Scout) Q4_K - Medium | 60.86 GiB | 107.77 B | CUDA | 99 | 1 | tg128 | 55.2 ± 0.1 |"),
        DECODE, 55.2, {"architecture": "llama4", "weights": "Q4_K - Medium"},
    ),
    "bench-bytes-garbled": (  # a console in another code page
        bench("| gemma3 27B Q4_0 | 16.04 GiB | 27.01 B | CUDA | 99 | 1 | tg128 | 36.02 ┬▒ 0.11 |"),
        DECODE, 36.02, {"architecture": "gemma3"},
    ),
    "bench-cache": (
        "| model | size | params | backend | ngl | type_k | type_v | fa | test | t/s |\n| - | - | - | - | - | - | - | - | - | - |\n"
        "| qwen3 8B Q4_K - Medium | 4.68 GiB | 8.19 B | CUDA | 99 | q8_0 | q8_0 | 1 | tg128 | 70.1 ± 0.1 |\n",
        DECODE, 70.1, {"kv_cache": "q8_0"},
    ),
    "bench-rows": (
        "| model | size | params | backend | ngl | sm | test | t/s |\n| - | - | - | - | - | - | - | - |\n"
        "| llama 70B Q4_K - Medium | 39.59 GiB | 70.55 B | CUDA | 99 | row | tg128 | 12.4 ± 0.1 |\n",
        DECODE, 12.4, {"split": "row"},
    ),
    "bench-no-kv-offload": (
        "| model | size | params | backend | ngl | nkvo | test | t/s |\n| - | - | - | - | - | - | - | - |\n"
        "| llama 7B Q4_0 | 3.56 GiB | 6.74 B | CUDA | 99 | 1 | tg 128 | 59.99 ± 2.35 |\n",
        DECODE, 59.99, {"cache_on_cpu": True},
    ),
    "bench-experts-on-cpu": (
        "| model | size | params | backend | ngl | n_cpu_moe | test | t/s |\n| - | - | - | - | - | - | - | - |\n"
        "| gpt-oss 120B MXFP4 MoE | 59.02 GiB | 116.83 B | CUDA | 99 | 36 | tg128 | 21.3 ± 0.1 |\n",
        DECODE, 21.3, {"cpu_share": None, "cpu_expert_layers": 36},
    ),
    "bench-csv": (
        "build_commit,build_number,gpu_info,backends,model_filename,model_type,model_size,model_n_params,n_gpu_layers,"
        "n_prompt,n_gen,n_depth,avg_ts,stddev_ts\n"
        '"f9ec8858e","7474","NVIDIA GeForce RTX 3090","CUDA","models/x.gguf","llama 8B Q4_K - Medium","4912898304",'
        '"8030261312","99","0","128","0","135.12","0.4"\n',
        DECODE, 135.12, {"device": "NVIDIA GeForce RTX 3090", "parameters": 8030261312.0, "decode_tokens": 128},
    ),
    "bench-json": (
        json.dumps([{"build_commit": "f9ec8858e", "build_number": 7474, "gpu_info": "Apple M4 Max", "backends": "MTL", "model_type": "llama 8B Q8_0",
                     "model_size": 8525094912, "model_n_params": 8030261312, "n_gpu_layers": 99, "n_prompt": 512,
                     "n_gen": 0, "n_depth": 0, "avg_ts": 801.5, "stddev_ts": 1.1}], indent=2),
        PROMPT, 801.5, {"device": "Apple M4 Max", "prompt_tokens": 512, "build_number": 7474},
    ),
    "bench-jsonl-2024": (
        json.dumps({"cuda": True, "metal": False, "gpu_info": "NVIDIA A100-SXM4-80GB", "model_type": "llama 7B mostly F16",
                    "model_size": 13476831232, "model_n_params": 6738415616, "n_gpu_layers": 99, "n_prompt": 0,
                    "n_gen": 128, "avg_ts": 69.2}) + "\n",
        DECODE, 69.2, {"backend": "cuda", "weights": "mostly F16"},
    ),
    "people's-table": (
        "| Commit    | GPU           | fa | tg128 t/s        |\n|---|---|---|---|\n| 141a908 | NVIDIA RTX2070| 1 | 35.9 ± 1.0 |\n",
        DECODE, 35.9, {"device": "NVIDIA RTX2070", "decode_tokens": 128},
    ),
    "batched-bench": (
        "|    PP |     TG |    B |   N_KV |   T_PP s | S_PP t/s |   T_TG s | S_TG t/s |      T s |    S t/s |\n"
        "|-------|--------|------|--------|----------|----------|----------|----------|----------|----------|\n"
        "|   512 |     32 |    4 |   2176 |    0.619 |  3309.61 |    0.631 |   202.83 |    1.250 |  1741.09 |\n",
        DECODE, 202.83, {"tool": "llama-batched-bench", "batch_size": 4, "context_length": 528},
    ),
    "sweep-bench": (
        "|    PP |     TG |   N_KV |   T_PP s | S_PP t/s |   T_TG s | S_TG t/s |\n|-------|--------|------|------|------|------|------|\n"
        "|  2048 |    128 |  30720 |    0.811 |  2526.38 |    1.038 |   123.29 |\n",
        DECODE, 123.29, {"decode_tokens": 128, "depth": 30720, "context_length": 30784},
    ),
    # --------------------------------------------------------------------- Ollama
    "ollama": (
        ">>> ollama run llama3.1:8b --verbose\ntotal duration:       478.994822ms\nload duration:        32.503088ms\n"
        "prompt eval count:    16 token(s)\nprompt eval duration: 69ms\nprompt eval rate:     231.88 tokens/s\n"
        "eval count:           32 token(s)\neval duration:        376ms\neval rate:            85.11 tokens/s\n",
        DECODE, pytest.approx(85.11 * 31 / 32), {"engine": "ollama", "model": "llama3.1:8b", "prompt_tokens": 16, "decode_tokens": 32},
    ),
    "ollama-ps": (
        "eval count:           74 token(s)\neval duration:        5.657106746s\neval rate:            **13.08 tokens/s**\n\n"
        "NAME                 ID              SIZE     PROCESSOR          UNTIL\n"
        "gemma3:27b-it-qat    29eb0b9aeda3    25 GB    11%/89% CPU/GPU    4 minutes from now\n",
        DECODE, pytest.approx(13.08 * 73 / 74), {"model": "gemma3:27b-it-qat", "cpu_share": 0.11},
    ),
    "ollama-cpu": (
        "llama3:70b      be39eb53a197    41 GB   100% CPU 4 minutes from now\neval rate:  1.20 tokens/s\n",
        DECODE, 1.2, {"model": "llama3:70b", "cpu_share": 1.0},
    ),
    "ollama-api": (
        json.dumps({"model": "qwen3:8b", "prompt_eval_count": 1024, "prompt_eval_duration": 500000000,
                    "eval_count": 300, "eval_duration": 4000000000, "done": True}),
        DECODE, 74.75, {"model": "qwen3:8b", "prompt_tokens": 1024},
    ),
    # ------------------------------------------------------------------ LM Studio
    "lm-studio": (
        "45.21 tok/sec • 512 tokens • 0.30s to first token • Stop reason: EOS Token Found\n",
        DECODE, 45.21, {"engine": "lm-studio", "decode_tokens": 512},
    ),
    "lms-stats": (
        "Prediction Stats:\n  Stop Reason: eosFound\n  Tokens/Second: 26.69\n  Time to First Token: 0.237s\n",
        DECODE, 26.69, {"tool": "lm-studio"},
    ),
    "lm-studio-api": (
        json.dumps({"model": "qwen3-8b", "usage": {"prompt_tokens": 24, "completion_tokens": 53},
                    "stats": {"tokens_per_second": 51.43, "time_to_first_token": 0.111}}),
        DECODE, 51.43, {"decode_tokens": 53},
    ),
    # --------------------------------------------------------------------- mlx-lm
    "mlx": (
        "$ mlx_lm.generate --model mlx-community/Meta-Llama-3.1-8B-Instruct-4bit --max-tokens 1000\n==========\n"
        "Prompt: 32159 tokens, 261.786 tokens-per-sec\nGeneration: 1000 tokens, 23.146 tokens-per-sec\nPeak memory: 13.523 GB\n",
        DECODE, 23.146,
        {"engine": "mlx", "model": "mlx-community/Meta-Llama-3.1-8B-Instruct-4bit", "context_length": 32659},
    ),
    "mlx-2023": ("Prompt: 123.4 tokens-per-sec\nGeneration: 45.6 tokens-per-sec\n", DECODE, 45.6, {"prompt_tokens": 0}),
    "mlx-benchmark": (
        "Averages: prompt_tps=1551.210, generation_tps=119.140, peak_memory=5.400\n", DECODE, 119.14, {"engine": "mlx"},
    ),
    # ------------------------------------------------------------------ llama.cpp
    "llama-cli": (
        "llama_print_timings: prompt eval time =    1712.75 ms /    15 tokens (  114.18 ms per token,     8.76 tokens per second)\n"
        "llama_print_timings:        eval time =    9521.36 ms /   127 runs   (   74.97 ms per token,    13.34 tokens per second)\n",
        DECODE, 13.34, {"decode_tokens": 127, "prompt_tokens": 15, "engine": "llama.cpp"},
    ),
    "llama-perf": (
        "llama_perf_context_print:        eval time =   27636.04 ms /   898 runs   (   30.78 ms per token,    32.49 tokens per second)\n",
        DECODE, 32.49, {"decode_tokens": 898},
    ),
    "llama-cli-2023": (
        "llama_print_timings:        eval time = 14266.11 ms /   399 runs   (   35.75 ms per run)\n",
        DECODE, pytest.approx(27.97, abs=0.01), {"decode_tokens": 399},
    ),
    "llama-server": (  # its first token came with the prompt: 255 were timed
        "slot print_timing: id  0 | task 1 | prompt eval time = 27857.24 ms / 32767 tokens (0.85 ms per token, 1176.25 tokens per second)\n"
        "slot print_timing: id  0 | task 1 |        eval time =  7167.21 ms /   256 tokens (28.00 ms per token, 35.72 tokens per second)\n",
        DECODE, pytest.approx(255 / 7.16721), {"prompt_tokens": 32767},
    ),
    "llama-server-api": (
        json.dumps({"content": "…", "timings": {"prompt_n": 1, "prompt_per_second": 20.0, "predicted_n": 101,
                                                "predicted_ms": 2000.0, "predicted_per_second": 50.5}}),
        DECODE, pytest.approx(50.0), {"tool": "llama-server"},
    ),
    "llama-server-drafts": (
        "       eval time =   100.00 ms /    11 tokens (   10.00 ms per token,   100.00 tokens per second)\n"
        "draft acceptance rate = 0.57000 (  171 accepted /   300 generated)\n",
        DECODE, pytest.approx(100.0), {"drafts": True},
    ),
    "lm-studio-drafts": (
        "61.35 tok/sec • 187 tokens • 0.40s to first token • Accepted 121/188 draft tokens (64.4%)\n",
        DECODE, 61.35, {"drafts": True},
    ),
    "llama-cli-2026": ("[ Prompt: 150.2 t/s | Generation: 45.3 t/s ]\n", DECODE, 45.3, {"engine": "llama.cpp"}),
    # ----------------------------------------------------------------------- vLLM
    "vllm": (
        "INFO 05-09 10:00:00 [loggers.py:116] Engine 000: Avg prompt throughput: 0.0 tokens/s, Avg generation throughput: "
        "91.3 tokens/s, Running: 2 reqs, Waiting: 0 reqs, GPU KV cache usage: 0.5%\n",
        DECODE, 91.3, {"engine": "vllm", "batch_size": 2},
    ),
    "vllm-bench": (
        "Maximum request concurrency:             8\nOutput token throughput (tok/s):         588.10\n"
        "Total Token throughput (tok/s):          1176.20\nMean TPOT (ms):                          12.50\n",
        DECODE, 640.0, {"engine": "vllm", "batch_size": 8},
    ),
    # --------------------------------------------------------------------- people
    "bare": ("12.3 t/s\n", DECODE, 12.3, {"tool": ""}),
    "quoted": ("Generation speed : 93 tokens per second\n", DECODE, 93.0, {}),
    "browser": (
        json.dumps({"schema": "hayasa-browser/1", "device": "apple-m4-10c", "reading": [{"bytes": 1, "median": 9e10}],
                    "decoding": [{"model": "llama-3.2-1b", "weights": "q4_0", "tokens_per_s": 71.5}]}, indent=1),
        DECODE, 71.5, {"tool": "browser", "model": "llama-3.2-1b", "weights": "q4_0", "device": "apple-m4-10c"},
    ),
    "japanese": ("生成速度: 24.5 tok/s\n", DECODE, 24.5, {}),
}  # fmt: skip


@pytest.mark.parametrize("form", FORMS)
def test_every_form_is_read(form: str) -> None:
    text, kind, speed, more = FORMS[form]
    reading = read_report(text)
    assert not reading.unread
    runs = [run for run in reading.runs if run.kind == kind]
    assert len(runs) == 1
    assert runs[0].tokens_per_s == speed
    assert {name: getattr(runs[0], name) for name in more} == more


def test_enough_forms() -> None:
    assert len(FORMS) >= 30


@pytest.mark.parametrize(
    ("line", "device", "devices"),
    [
        ("  Device 0: NVIDIA GeForce RTX 4090, compute capability 8.9, VMM: yes", "NVIDIA GeForce RTX 4090", 1),
        ("  Device 0: AMD Radeon RX 7900 XTX, gfx1100 (0x1100), VMM: no, Wave Size: 32", "AMD Radeon RX 7900 XTX", 1),
        ("ggml_metal_device_init: GPU name:   Apple M1 Max", "Apple M1 Max", 1),
        ("ggml_metal_init: GPU name:   Apple M4", "Apple M4", 1),
        ("ggml_metal_init: found device: Apple M1 Pro", "Apple M1 Pro", 1),
        ("ggml_metal_init: picking default device: Apple M4 Max", "Apple M4 Max", 1),
        (
            "ggml_vulkan: 0 = AMD Radeon RX 7900 XT (RADV NAVI31) (radv) | uma: 0 | fp16: 1 | warp size: 64",
            "AMD Radeon RX 7900 XT",
            1,
        ),
        (
            "Vulkan0: AMD Radeon RX 6800 XT (RADV NAVI21) | uma: 0 | fp16: 1 | warp size: 64",
            "AMD Radeon RX 6800 XT",
            1,
        ),
        (  # the GPU of the processor does not help the card, whichever comes first
            "ggml_vulkan: Found 2 Vulkan devices:\n"
            "ggml_vulkan: 0 = AMD Radeon RX 7900 XT (RADV NAVI31) (radv) | uma: 0 | fp16: 1\n"
            "ggml_vulkan: 1 = V3D 7.1.10.2 (V3DV Mesa) | uma: 1 | fp16: 0",
            "AMD Radeon RX 7900 XT",
            1,
        ),
        (
            "ggml_vulkan: 0 = Intel(R) UHD Graphics (Intel open-source Mesa driver) | uma: 1 | fp16: 1\n"
            "ggml_vulkan: 1 = NVIDIA GeForce RTX 2070 with Max-Q Design (NVIDIA) | uma: 0 | fp16: 1",
            "NVIDIA GeForce RTX 2070 with Max-Q Design",
            1,
        ),
        ("ggml_vulkan: 0 = AMD Radeon 8060S Graphics (RADV GFX1151) | uma: 1 | fp16: 1", "AMD Radeon 8060S", 1),
        ("| 0| [level_zero:gpu:0]| Intel Arc A770 Graphics| 12.55| 512| 1024| 32| 16225M|", "Intel Arc A770", 1),
        (
            "llama_model_load_from_file_impl: using device Vulkan0 (Intel(R) Arc(TM) Pro B60 Graphics) - 23607 MiB free",
            "Intel Arc Pro B60",
            1,
        ),
        (
            "ggml_cuda_init: found 2 CUDA devices:\n  Device 0: NVIDIA L4, compute capability 8.9, VMM: yes\n"
            "  Device 1: NVIDIA L4, compute capability 8.9, VMM: yes",
            "NVIDIA L4",
            2,
        ),
        (
            "ggml_cuda_init: found 2 CUDA devices:\n  Device 0: NVIDIA GeForce RTX 5090, compute capability 12.0, VMM: yes\n"
            "  Device 1: NVIDIA GeForce RTX 3090, compute capability 8.6, VMM: yes",
            "NVIDIA GeForce RTX 5090 + NVIDIA GeForce RTX 3090",
            2,
        ),
    ],
)
def test_lines_about_the_machine(line: str, device: str, devices: int) -> None:
    """Whether they stand before the speed or behind it."""
    for text in (f"{line}\n12.3 t/s\n", f"12.3 t/s\n{line}\n"):
        [run] = read_report(text).runs
        assert (run.device, run.devices) == (device, devices)


def test_the_log_of_llama_cpp_tells_the_model() -> None:
    [run] = read_report(
        "llama_model_loader: loaded meta data with 38 key-value pairs from ..\\gemma-3-1b-it-Q4_K_M.gguf (version GGUF V3)\n"
        "print_info: file type   = Q4_K - Medium\nprint_info: file size   = 762.49 MiB (6.40 BPW)\n"
        "print_info: arch             = gemma3\nprint_info: model params     = 999.89 M\n"
        "load_tensors: offloaded 20/27 layers to GPU\n"
        "llama_perf_context_print:        eval time =  186.74 ms /   179 runs   ( 1.04 ms per token,     958.0 tokens per second)\n"
    ).runs
    assert (run.model, run.architecture, run.weights) == ("gemma-3-1b-it-Q4_K_M", "gemma3", "Q4_K - Medium")
    assert run.parameters == 999.89e6
    assert run.cpu_share == pytest.approx(7 / 27)


def test_two_answers_do_not_share_their_counts() -> None:
    first, second = read_report(
        "Prompt: 32159 tokens, 261.786 tokens-per-sec\nGeneration: 1000 tokens, 23.146 tokens-per-sec\n"
        "Generation: 50.0 tokens-per-sec\n"
    ).runs[1:]
    assert (first.prompt_tokens, second.prompt_tokens, second.decode_tokens) == (32159, 0, 0)


def test_what_a_chat_says_of_the_cpu_is_not_said_of_a_benchmark() -> None:
    text = FORMS["ollama-ps"][0] + FORMS["bench"][0]
    assert [run.cpu_share for run in read_report(text).runs] == [0.11, None]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("I got 23 tokens/s yesterday on it", "形"),
        ("eval rate: 0.00 tokens/s", "0"),
        ("llama_perf: eval time = 0.00 ms / 1 runs ( 0.00 ms per token, inf tokens per second)", "有限"),
        (bench("| llama 7B Q4_0 | 3.56 GiB | 6.74 B | CUDA | 99 | 1 | tg128 | oops |"), "oops"),
        (bench("| llama 7B Q4_0 | 3.56 GiB | 6.74 B | CUDA | 99 | 1 | xx128 | 12.3 ± 0.1 |"), "xx128"),
        (bench("| llama 7B Q4_0 | 3.56 GiB | many B | CUDA | 99 | 1 | tg128 | 12.3 ± 0.1 |"), "数"),
        (bench("| llama 7B Q4_0 | 3.56 GiB | CUDA | 99 | 1 | tg128 | 12.3 ± 0.1 |"), "列の数"),
        ('[{"avg_ts": "fast", "n_gen": 128}]', "数"),
        ('[{"avg": 12.0}]', "速さがありません"),
        ("[\n1\n]", "組"),
    ],
)
def test_what_is_not_understood_is_told(line: str, reason: str) -> None:
    reading = read_report(line)
    assert not reading.runs
    [unread] = reading.unread
    assert reason in unread.reason
    assert unread.line >= 1


def test_chatter_is_not_a_speed() -> None:
    assert read_report("total duration: 4.7s\nWhy is the sky blue?\nIt takes 3 seconds.\n") == ((), ())


@pytest.mark.parametrize(
    ("line", "number"),
    [
        ("build: f9ec8858e (7474)", 7474),
        ("build: 32d9f7d9 (1786)", 1786),
        ("main: build = 992 (0919a0f)", 992),
        ("build: 5432 (4245e622) with clang version 18.1.8 for x86_64-pc-windows-msvc", 5432),
        ("", 0),
    ],
)
def test_builds(line: str, number: int) -> None:
    [run] = read_report(f"12.3 t/s\n{line}\n").runs
    assert run.build_number == number


@pytest.mark.parametrize(
    ("words", "backend"),
    [("CUDA", "cuda"), ("Metal,BLAS", "metal"), ("CUDA,RPC", "cuda"), ("HIP", "rocm"), ("BLAS", "cpu"), ("RPC", "")],
)
def test_backends(words: str, backend: str) -> None:
    assert backend_name(words) == backend
