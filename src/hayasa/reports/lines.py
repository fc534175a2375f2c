"""Lines that tools print, as a table of patterns.

Letters and digits are those of ASCII: Japanese, which is written without
blanks around them, is none of a tool's words.  A named group of a pattern is a fact of that name.  A line that says
``decode_speed`` or ``prompt_speed`` is a run; whatever else was said before
it, or is said only later, belongs to it.
"""

from __future__ import annotations

import re

_NUMBER = r"[\d,]*\.?\d+"


def _pattern(text: str) -> re.Pattern[str]:
    """Compile a pattern in which ``#`` stands for a number and a blank for any blanks."""
    return re.compile(text.replace("#", _NUMBER).replace(" ", r"\s*"), re.ASCII | re.IGNORECASE)


SPEED_LINES: tuple[tuple[str, str, re.Pattern[str]], ...] = tuple(
    (tool, engine, _pattern(pattern))
    for tool, engine, pattern in (
        # Ollama, `ollama run --verbose`
        ("ollama", "ollama", r"^\W*prompt eval rate: \W*(?P<prompt_speed>#) tokens?/s"),
        ("ollama", "ollama", r"^\W*eval rate: \W*(?P<decode_speed>#) tokens?/s"),
        # LM Studio, under an answer, and `lms chat --stats`
        (
            "lm-studio",
            "lm-studio",
            r"(?P<decode_speed>#) tok(?:ens?)?/s(?:ec)?\b \W* (?P<decode_tokens>#) tokens?\b \W* # s to first token",
        ),
        ("lm-studio", "lm-studio", r"^\W*tokens/second: (?P<decode_speed>#)"),
        # mlx-lm
        ("mlx-lm", "mlx", r"^prompt: (?:(?P<prompt_tokens>#) tokens, )?(?P<prompt_speed>#) tokens-per-sec"),
        ("mlx-lm", "mlx", r"^generation: (?:(?P<decode_tokens>#) tokens, )?(?P<decode_speed>#) tokens-per-sec"),
        (
            "mlx-lm",
            "mlx",
            r"^(?:trial \d+|averages): prompt_tps=#, generation_tps=(?P<decode_speed>#)",
        ),
        # llama.cpp: the server counts a token more than it timed, the others count runs
        (
            "llama.cpp",
            "llama.cpp",
            r"\bprompt eval time = # ms / (?P<prompt_tokens>\d+) tokens"
            r" \( # ms per token, (?P<prompt_speed>#|inf) tokens per second",
        ),
        (
            "llama.cpp",
            "llama.cpp",
            r"\beval time = # ms / (?P<decode_tokens>\d+) runs \( # ms per token, (?P<decode_speed>#|inf) tokens per second",
        ),
        (
            "llama-server",
            "llama.cpp",
            r"\beval time = (?P<decode_ms>#) ms / (?P<decode_tokens>\d+) tokens"
            r" \( # ms per token, (?P<decode_speed>#|inf) tokens per second",
        ),
        # llama.cpp before July 2023 printed milliseconds only
        ("llama.cpp", "llama.cpp", r"\bprompt eval time = # ms / (?P<prompt_tokens>\d+) tokens \( (?P<prompt_ms_each>#) ms per token"),
        ("llama.cpp", "llama.cpp", r"\beval time = # ms / (?P<decode_tokens>\d+) runs \( (?P<decode_ms_each>#) ms per (?:token|run)"),
        # llama-cli since December 2025
        ("llama.cpp", "llama.cpp", r"\[ prompt: # t/s \| generation: (?P<decode_speed>#) t/s \]"),
        # vLLM's log, and its benchmark of a server
        (
            "vllm",
            "vllm",
            r"avg prompt throughput: # tokens/s, avg generation throughput: (?P<decode_speed>#) tokens/s,"
            r" running: (?P<batch_size>\d+) reqs",
        ),
        ("vllm", "vllm", r"^mean TPOT \(ms\): (?P<decode_ms_each>#)$"),
        # a speed alone, as people quote it
        ("", "", r"^\W*(?:(?:token )?generation(?: speed)?|decode|eval|output|tg\d*|speed|速度|生成(?:速度)?)?[\s:：=|]*"
                 r"(?P<decode_speed>#) (?:tok(?:en)?s?|t) ?(?:/|per) ?s(?:ec(?:ond)?)?\b[\W_]*$"),
        ("", "", r"^\W*(?:prompt(?: processing| eval)?(?: speed)?|prefill|pp\d*)[\s:：=|]*"
                 r"(?P<prompt_speed>#) (?:tok(?:en)?s?|t) ?(?:/|per) ?s(?:ec(?:ond)?)?\b[\W_]*$"),
    )
)  # fmt: skip
"""Tool, engine, and what its lines about a speed look like; the first that matches counts."""

FACT_LINES: tuple[re.Pattern[str], ...] = tuple(
    _pattern(pattern)
    for pattern in (
        # how many tokens
        r"^\W*prompt eval count: (?P<prompt_tokens>\d+) token",
        r"^\W*eval count: (?P<decode_tokens>\d+) token",
        r"^\W*prompt tokens: (?P<prompt_tokens>\d+)$",
        r"^\W*predicted tokens: (?P<decode_tokens>\d+)$",
        # `ollama ps`
        r"^(?P<model>\S+:\S+)\s+[0-9a-f]{12}\s+[\d.]+ [KMGT]i?B\s+(?P<cpu_percent>\d+)%/\d+% CPU/GPU",
        r"^(?P<model>\S+:\S+)\s+[0-9a-f]{12}\s+[\d.]+ [KMGT]i?B\s+(?P<cpu_percent>100)% CPU",
        r"^(?P<model>\S+:\S+)\s+[0-9a-f]{12}\s+[\d.]+ [KMGT]i?B\s+100% GPU",
        # vLLM's benchmark of a server: its throughputs count the prompts too, the time per token does not
        r"^maximum request concurrency: (?P<batch_size>\d+)$",
        r"^(?:peak )?(?:output|total|input) token throughput \(tok/s\):",
        # the command itself
        r"\bollama\s+run\s+(?:--?\S+\s+)*(?P<model>[\w./:-]+)",
        r"\bmlx_lm(?:\.|\s+)(?:generate|benchmark|chat)\b.*--model\s+(?P<model>\S+)",
        r"\bvllm\s+serve\s+(?P<model>\S+)",
        r"\bn_kv_max = \d+,.* n_gpu_layers = (?P<gpu_layers>-?\d+)",
        # tokens that were drafted: llama.cpp's server, LM Studio
        r"\bdraft acceptance(?: rate)? = # \( (?P<drafts>\d+) accepted / \d+ generated",
        r"\baccepted (?P<drafts>\d+)/\d+ draft tokens",
        # llama.cpp's log: the model
        r"\bloaded meta data with .* from (?:\S*[/\\])?(?P<model>[^/\\\s]+)\.gguf\b",
        r"\b(?:model )?arch\s+= (?P<architecture>[\w.-]+)$",
        r"\b(?:model ftype|file type)\s+= (?P<weights>.+)$",
        r"\bmodel params\s+= (?P<parameters>#\s[KMBT])$",
        r"\b(?:model size|file size)\s+= (?P<file_bytes>#\s[KMGT]iB)\b",
        r"\boffloaded (?P<offloaded_layers>\d+)/(?P<layers>\d+) layers to GPU",
        # the machine
        r"^\W*device (?P<index>\d+): (?P<device>[^,|]+?),? (?:compute capability|gfx\w+|,|$)",
        r"\b(?:ggml_vulkan: |vulkan)(?P<index>\d+)(?: = |: )(?P<device>[^(|]+?) (?:\(|\|).*\| uma: (?P<shared>[01])",
        r"\bggml_metal(?:_device)?_init: (?:GPU name|found device|picking default device): (?P<device>Apple M[\w ]+)$",
        r"^\| \d+ \| \[level_zero:gpu:\d+\] \| (?P<device>[^|]+?)(?: Graphics)? \|",
        r"\busing device \w+ \((?P<device>.+?)\) (?:\([^()]*\) )?- \d+ MiB",
        r"\bggml_(?:cuda|hip|rocm)_init: found \d+ (?P<backend>CUDA|ROCm) devices",
        r"\bggml_(?P<backend>vulkan): found \d+ Vulkan devices",
        r"\bggml_(?P<backend>metal)",
        r"\bbuild: (?P<build>[0-9a-f]{7,10} \(\d+\))",
        r"\bbuild(?:: | = )(?P<build>\d+ \([0-9a-f]{7,10}\))",
    )
)
"""What other lines tell; every one that matches counts."""

SPOKEN_OF = re.compile(r"\b(?:tok(?:en)?s?|t)\s?(?:/|per|-per-)\s?s(?:ec(?:ond)?)?\b", re.ASCII | re.IGNORECASE)
"""What a line has in it that speaks of a speed."""
