"""States of the calculator, as `web/state.mjs` and `web/address.mjs` know them: many sound ones and addresses of the worst sort."""

from collections.abc import Iterator
from itertools import cycle

from hypothesis import strategies as st

import hayasa
from hayasa.engine.drafting import DRAFTERS, MODEL, TEXTS
from hayasa.engine.engines import BACKENDS, ENGINES
from hayasa.units import GIB

MODELS, DEVICES, FORMATS = list(hayasa.model_rows()), hayasa.device_rows(), list(hayasa.weight_format_rows())
HOSTS = [id_ for id_, row in DEVICES.items() if row["family"].startswith("cpu")]
WAYS_TO_DRAFT = [one.id for one in DRAFTERS if one.id != MODEL]
ODD_NAMES = [
    "机の上のMac",
    "a;b=c*2@16&d#e?f%3B",
    "100% + 50 %25 %2A",
    "<img src=x onerror=alert(1)>",
    "\"quoted\" \\ 'too'",
    "own:name=x;bandwidth=1",
    "👩‍💻" * 12,
    "=;=;",
    "%",
    " two  blanks ",
    "a+b",
]
SHAPE = ("layers", "hidden_size", "attention_heads", "kv_heads", "head_dim", "intermediate_size", "vocab_size")
CORES = {"gpu_cores": 24, "gpu_clock_hz": 1.5e9}
PEAKS = ("peak_fp16_dense_flop_per_s", "peak_int8_dense_op_per_s", "peak_int4_dense_op_per_s")


def state(**changed: object) -> dict:
    """Return a state; whatever is not said is as the page has it."""
    plain = {
        "model": "llama-3.1-8b",
        "weights": "q4_k_m",
        "engine": "llama.cpp",
        "backend": None,
        "batch_size": 1,
        "context_length": 0,
        "prompt_length": None,
        "answer_length": None,
        "kv_cache": "f16",
        "split": "pipeline",
        "host": None,
        "host_memory_bytes": None,
        "gpu_layers": None,
        "cpu_moe_layers": None,
        "find": None,
        "find_speed": 20,
        "yen_per_kwh": None,
        "hours_per_day": None,
        "rated_power_w": None,
        "draft": None,
        "draft_text": None,
        "measured": None,
        "measured_prompt": None,
        "machines": [machine("rtx-4090")],
    }
    return plain | changed


def machine(device: str | dict, memory_bytes: float | None = None, devices: int = 1) -> dict:
    return {"device": device, "memory_bytes": memory_bytes, "devices": devices}


def machines() -> Iterator[dict]:
    """Yield every device with every amount of memory that it is sold with, and some of one's own."""
    counts, sizes = cycle([1, 2, 8, 1000]), cycle([16 * GIB, 2.5 * GIB, 2.0**50])
    for id_, row in DEVICES.items():
        yield machine(id_, devices=next(counts))
        for option in filter(None, row["memory_options_gb"].split("|")):
            yield machine(id_, float(option) * GIB, next(counts))
        if not row["memory_options_gb"]:
            yield machine(id_, next(sizes), next(counts))
    for name in ODD_NAMES:
        yield machine({"name": name, "family": "apple", "memory_bandwidth_bytes_per_s": 120e9}, devices=next(counts))
    yield machine({"memory_bandwidth_bytes_per_s": 0.1 + 0.2 + 1})
    everything = {"name": "x", "family": "cpu", "memory_bandwidth_bytes_per_s": 1e17, "memory_capacity_bytes": 1e18}
    yield machine(everything | dict.fromkeys(PEAKS, 1e21))
    yield machine(everything | dict.fromkeys(PEAKS, 34.1e12) | CORES)


def systematic() -> Iterator[dict]:
    """Yield states in which everything that can be chosen is chosen at least once."""
    models = [*MODELS, {"stated_parameters": 7e9}, {"stated_parameters": 0.1 + 1}, {"stated_parameters": 1e16}]
    models.append(dict.fromkeys(SHAPE, 128))
    some = list(machines())
    kinds = (
        cycle(FORMATS),
        cycle(FORMATS[::-1]),
        cycle(ENGINES),
        cycle([None, *BACKENDS]),
        cycle(["pipeline", "tensor"]),
    )
    hosts = cycle([None, *HOSTS[:5]]), cycle([None, 64 * GIB]), cycle([None, 0, 20]), cycle([None, 999])
    further = cycle([None, 1, 2000]), cycle([None, 0.5, 31]), cycle([None, 24, 1.5]), cycle([None, 700])
    speeds = cycle([None, 12.3, 1e-6]), cycle([None, 1e9])
    drafts = cycle([None, *WAYS_TO_DRAFT, "llama-3.2-1b"]), cycle([None, *TEXTS])
    searches = cycle([None, "machines", "formats", "models"]), cycle([20, 0, 0.5, 1e9, 33])
    sizes = cycle([1, 7, 4096]), cycle([0, 1, 131_072, 1_000_000]), cycle([None, 1, 512, 99_999])
    for place in range(max(len(models), len(some), len(FORMATS))):
        weights, kv_cache, engine, backend, split = map(next, kinds)
        batch_size, context_length, prompt_length = map(next, sizes)
        find, find_speed = map(next, searches)
        answer_length, yen_per_kwh, hours_per_day, rated_power_w = map(next, further)
        draft, draft_text = map(next, drafts)
        measured, measured_prompt = map(next, speeds)
        host, host_memory_bytes, gpu_layers, cpu_moe_layers = map(next, hosts)
        yield state(
            model=models[place % len(models)],
            weights=weights,
            kv_cache=kv_cache,
            engine=engine,
            backend=backend,
            split=split,
            find=find,
            find_speed=20 if find is None else find_speed,
            batch_size=batch_size,
            context_length=context_length,
            prompt_length=prompt_length,
            answer_length=answer_length,
            yen_per_kwh=yen_per_kwh,
            hours_per_day=hours_per_day,
            rated_power_w=rated_power_w,
            draft=draft,
            draft_text=draft_text,
            measured=measured,
            measured_prompt=measured_prompt,
            host=host,
            host_memory_bytes=host_memory_bytes,
            gpu_layers=gpu_layers,
            cpu_moe_layers=cpu_moe_layers,
            machines=[some[(place + further) % len(some)] for further in range(place % 4 + 1)],
        )


def amounts(least: float, most: float) -> st.SearchStrategy[float]:
    return st.floats(least, most, allow_subnormal=False)


# A text field gives no line breaks; the page cuts a name after 60 characters.
names = st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=60)
own_devices = st.fixed_dictionaries(
    {"memory_bandwidth_bytes_per_s": amounts(1, 1e17)},
    optional={
        "name": names,
        "family": st.sampled_from(["apple", "nvidia", "amd", "intel", "cpu"]),
        "memory_capacity_bytes": amounts(1, 1e18),
        "gpu_cores": st.integers(1, 10**6),
        "gpu_clock_hz": amounts(1, 1e12),
        **dict.fromkeys(PEAKS, amounts(1, 1e21)),
    },
)
own_models = st.fixed_dictionaries({"stated_parameters": amounts(1, 1e16)}) | st.fixed_dictionaries(
    dict.fromkeys(SHAPE, st.integers(1, 10**6)) | {"layers": st.integers(1, 1000)}
)
states = st.builds(
    state,
    model=st.sampled_from(MODELS) | own_models,
    weights=st.sampled_from(FORMATS),
    kv_cache=st.sampled_from(FORMATS),
    engine=st.sampled_from(list(ENGINES)),
    backend=st.sampled_from([None, *BACKENDS]),
    split=st.sampled_from(["pipeline", "tensor"]),
    batch_size=st.integers(1, 4096),
    context_length=st.integers(0, 1_000_000),
    prompt_length=st.none() | st.integers(1, 1_000_000),
    answer_length=st.none() | st.integers(1, 1_000_000),
    yen_per_kwh=st.none() | amounts(0.01, 1e6),
    hours_per_day=st.none() | amounts(0.01, 24),
    rated_power_w=st.none() | amounts(0.01, 1e6),
    host=st.none() | st.sampled_from(HOSTS),
    host_memory_bytes=st.none() | amounts(0, 1e18),
    gpu_layers=st.none() | st.integers(0, 1000),
    cpu_moe_layers=st.none() | st.integers(0, 1000),
    draft=st.none() | st.sampled_from([*WAYS_TO_DRAFT, *MODELS]),
    draft_text=st.none() | st.sampled_from([*TEXTS]),
    measured=st.none() | amounts(1e-6, 1e9),
    measured_prompt=st.none() | amounts(1e-6, 1e9),
    machines=st.lists(
        st.sampled_from(list(machines())) | st.builds(machine, own_devices, devices=st.integers(1, 1000)),
        min_size=1,
        max_size=4,
    ),
)

HOSTILE = [
    "?batch=NaN&context=-1&prompt=1e400&model=&weights=&engine=&kv=&split=",
    "?batch=Infinity&batch=2&context=0x10&machine=&machine=@&machine=*&machine=@*&machine=own:",
    "?model=own:&machine=own:;;;=;=",
    "?model=own:constructor=1;__proto__=2;toString=3;parameters=7e9&machine=own:bandwidth=1e11;__proto__=x;family=constructor",
    "?model=__proto__&weights=constructor&engine=toString&kv=hasOwnProperty&split=valueOf&machine=__proto__",
    "?model=own:parameters=1e400&machine=own:bandwidth=-1&machine=own:bandwidth=NaN;memory=x;fp16=;int8=1e999",
    "?model=own:layers=1.5;hidden=0;heads=-3&machine=own:bandwidth=1e11*0&machine=own:bandwidth=1e11*99999999999999999999",
    "?machine=ddr5-5600-dual@0&machine=ddr5-5600-dual@.&machine=ddr5-5600-dual@99999999999999999999",
    "?machine=rtx-4090@24&machine=apple-m4-10c@1e400&machine=apple-m4-10c@.&machine=apple-m4-10c@16@16*2*2",
    "?model=<script>alert(1)</script>&machine=own:name=</script><img src=x onerror=alert(1)>;bandwidth=1e11",
    "?model=%3Cb%3E&machine=own:name=%00%0A%0D%09%E2%80%AE%EF%BF%BD;bandwidth=1e11",
    "?draft=__proto__&text=constructor&yen=0&hours=25&watts=-1&answer=0.5&answer=1e9",
    "?model=%ZZ&machine=%E3%81&batch=%&machine=own:name=%FF;bandwidth=1e11",
    f"?model={'m' * 100_000}&machine={'x' * 100_000}&batch={'9' * 100_000}&machine=own:name={'n' * 100_000};bandwidth=1e11",
    f"?machine={'@1' * 50_000}*{'1' * 50_000}",
    "?" + "&".join(["machine=rtx-4090"] * 1000),
    "?" + "&".join(["machine=nowhere"] * 1000),
]

UNUSUAL = [
    "?model=own:layers=9&context=100&machine=own:bandwidth=1e11",
    "?model=own:parameters=7e9;parameters=8e9&model=llama-3.1-8b&machine=own:bandwidth=1;bandwidth=2",
    f"?machine=own:bandwidth=1e11;name={'👩‍💻' * 1000}",
    "?unknown=1&model=llama-3.1-8b&Model=x&MACHINE=y&=&&&==",
    "?machine=own:bandwidth=１２０ｅ９;memory=16,000,000,000;name=全角",
    "?",
    "",
]

pieces = st.sampled_from(
    "model weights engine backend batch context prompt kv split machine own: parameters layers bandwidth name memory family "
    "constructor __proto__ rtx-4090 apple-m4-10c llama-3.1-8b q4_k_m 1e11 7e9 -1 0 1e400 NaN 億 = = = & & & ; ; : @ * % %2A "
    "16 24 ' \" < > + # ? 日本 👩‍💻".split()
) | st.text(max_size=3)
hostile = st.lists(pieces, max_size=40).map(lambda found: "?" + "".join(found))
