"""What comes after the speed (whole answers, energy and money, drafts) is on the page what Python says."""

import json

import pytest

import hayasa
from hayasa.engine.power import rated_powers
from hayasa.units import GIB
from tests.web.javascript import Estimator, same
from tests.web.states import TEXTS, WAYS_TO_DRAFT, machine, state

DEVICES = ["rtx-4090", "apple-m4-max-40c", "h100-80gb-sxm", "rtx-3060", "ryzen-ai-max-395"]
QUESTIONS = [
    {"model": "llama-3.1-8b", "weights": "q4_k_m", "engine": "llama.cpp"},
    {"model": "qwen3.6-27b", "weights": "q4_k_m", "engine": "llama.cpp", "context_length": 8192, "prompt_length": 4000},
    {"model": "gpt-oss-20b", "weights": "mxfp4", "engine": "llama.cpp", "batch_size": 4, "context_length": 300},
    {"model": "llama-3.3-70b", "weights": "q4_k_m", "engine": "ideal", "devices": 2, "split": "tensor"},
]
CHOSEN = [
    {},
    {"yen_per_kwh": 27.5, "hours_per_day": 24, "answer_length": 1},
    {"answer_length": 700, "draft": "ngram", "draft_text": "code"},
    {"hours_per_day": 0.5, "draft": "llama-3.2-1b"},
    *({"draft": way, "draft_text": text} for way, text in zip(["eagle", "eagle3"], ["chat", "math"], strict=True)),
]


@pytest.fixture(scope="module")
def estimator():
    return Estimator()


def expected(choice: dict, chosen: dict) -> dict:
    """Return what Python says to a choice."""
    result = hayasa.estimate(**choice)
    spent = hayasa.energy(result)
    given = {name: chosen[name] for name in ("yen_per_kwh", "hours_per_day") if chosen[name] is not None}
    price = hayasa.cost(spent, **given).to_dict()
    del price["owned_yen"]
    energy = spent.to_dict()
    names = [name for name in energy if "joules" in name or name in ("decode_power", "prompt_power", "notes")]
    drafts = hayasa.draft_speedup(result, chosen["draft"], acceptance=chosen["draft_text"]).to_dict()
    del drafts["pays"]
    answer = chosen["answer_length"] and hayasa.answer_time(result, chosen["answer_length"])
    return {
        "remedies": list(result.remedies),
        "cost": price,
        "energy": {name: energy[name] for name in names},
        "drafts": json.loads(json.dumps(drafts)),
        "answer": [answer.total_s, answer.total_low_s, answer.total_high_s] if answer else None,
    }


def differences(expected: dict, given: dict) -> list[str]:
    """Name what differs, by more than the last digits of a number."""
    return [
        f"{part}.{name}: Python {value!r}, JavaScript {given[part].get(name)!r}"
        for part in ("cost", "energy", "drafts")
        for name, value in expected[part].items()
        if not close(value, given[part].get(name))
    ] + [part for part in ("remedies", "answer") if not close(expected[part], given[part])]


def close(one: object, other: object) -> bool:
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(close, one, other))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(close(one[key], other[key]) for key in one)
    return same(one, other, exact=False)


def asked(estimator: Estimator, choice: dict, chosen: dict) -> dict:
    return json.loads(estimator.context.call("hayasa.further", choice, chosen))


@pytest.mark.parametrize("question", QUESTIONS, ids=[one["model"] for one in QUESTIONS])
@pytest.mark.parametrize("device", DEVICES)
def test_the_page_says_what_python_says(estimator, device, question):
    choice = {**question, "device": device}
    for changed in CHOSEN:
        chosen = state(**changed)
        assert differences(expected(choice, chosen), asked(estimator, choice, chosen)) == []


def test_every_way_to_draft_and_kind_of_text_is_known(estimator):
    choice = {**QUESTIONS[1], "device": "rtx-5090"}
    for place, text in enumerate(TEXTS):
        chosen = state(draft=WAYS_TO_DRAFT[place % len(WAYS_TO_DRAFT)], draft_text=text)
        assert differences(expected(choice, chosen), asked(estimator, choice, chosen)) == []


def test_a_rated_power_counts_where_the_table_has_none(estimator):
    unlisted = next(id_ for id_ in hayasa.device_rows() if id_ not in rated_powers() and id_.startswith("apple"))
    for device, watts in ((unlisted, 40), ("rtx-4090", None)):
        choice = {**QUESTIONS[0], "device": device}
        spent = hayasa.energy(hayasa.estimate(**choice), rated_power_w=watts)
        given = asked(estimator, choice, state(rated_power_w=40))
        assert close(spent.to_dict()["decode_power"], given["energy"]["decode_power"])


SPLITS = [
    {"host": "ddr5-5600-dual"},
    {"host": "ddr4-3200-dual", "host_memory_bytes": 64 * GIB, "gpu_layers": 20},
    {"host": "ddr5-4800-12ch", "host_memory_bytes": 16 * GIB, "cpu_moe_layers": 7, "model": "gpt-oss-120b"},
    {"gpu_layers": 3},
]


@pytest.mark.parametrize("changed", SPLITS)
def test_a_part_in_the_hosts_memory_is_answered_as_python_does(estimator, changed):
    chosen = state(**{"model": "llama-3.3-70b", "context_length": 1000, **changed})
    chosen["machines"] = [machine("rtx-4090"), machine("apple-m4-max-40c"), machine("rtx-3060", devices=2)]
    names = ("weights", "engine", "context_length", "gpu_layers", "cpu_moe_layers")
    for one, given in zip(
        chosen["machines"], json.loads(estimator.context.call("hayasa.answered", chosen)), strict=True
    ):
        question = {name: chosen[name] for name in names} | {"devices": one["devices"], "host": None}
        if chosen["host"]:
            memory = hayasa.get_device(chosen["host"])
            question["host"] = hayasa.Host(
                id=memory.id,
                name=memory.name,
                memory_bandwidth_bytes_per_s=memory.memory_bandwidth_bytes_per_s,
                memory_capacity_bytes=chosen["host_memory_bytes"] or 0,
            )
        # A machine whose processor has the same memory has nothing to leave there.
        if hayasa.get_device(one["device"]).shares_memory:
            question |= {"host": None, "gpu_layers": None, "cpu_moe_layers": None}
        try:
            result = hayasa.estimate(chosen["model"], one["device"], **question)
        except hayasa.InvalidValueError as error:
            assert given == [str(error)] + [None] * 5
            continue
        on_host = result.host_fit.required_bytes if result.host_fit else None
        speeds = [result.decode_tokens_per_s, result.fits, result.memory_required_bytes, on_host]
        assert close(["", *speeds, result.time_to_first_token_s], given)


@pytest.mark.parametrize(
    "changed",
    [
        ("energy-formulas.mjs", "return (1 + beyond);", "return (1.001 + beyond);"),
        ("energy.mjs", "yen_per_kwh, hours_per_day:", "yen_per_kwh: 31, hours_per_day:"),
        ("drafts.mjs", "acceptance: draft_text", "acceptance: null"),
    ],
)
def test_another_answer_is_noticed(changed):
    estimator = Estimator(*changed)
    choice = {**QUESTIONS[0], "device": DEVICES[0]}
    chosen = state(yen_per_kwh=20, draft="ngram", draft_text="code")
    assert differences(expected(choice, chosen), asked(estimator, choice, chosen))
