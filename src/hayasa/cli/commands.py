"""What each command of ``hayasa`` does."""

from __future__ import annotations

import argparse
import csv
import io
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import cache

from ..answer.choose import best_split
from ..answer.cost import cost
from ..answer.duration import answer_time
from ..answer.energy import answer_energy, energy
from ..answer.estimate import Estimate, estimate
from ..answer.explain import explain
from ..catalog.objects import device_rows, get_device, get_model, model_rows, weight_format_rows
from ..engine.engines import BACKENDS, DEFAULT_ENGINE, ENGINES, get_engine
from ..errors import MAX_LAYERS, DoesNotFitError, HayasaError, InvalidValueError
from ..listing import table_lines
from ..machine.device import Device
from ..machine.split import SPLITS
from ..model.shape import Model
from ..model.tensors import active_parameters, total_parameters
from ..names import name_key
from ..units import gibibytes, scaled, significant
from .amounts import LATENCIES, POWERS, integer, quantity
from .answers import answer_lines, cost_json, cost_lines, estimate_lines, memory_lines, print_json, print_ranking
from .calibrations import calibrations_command
from .choose import add_at_least, add_order, choose_command, fit_command, formats_command
from .draft import add_draft, draft_command
from .own import add_device, add_model, count_of, machines_of, model_of, names_device, names_model
from .parser import Parser, fail

INTERRUPTED = 130
"""Exit code of a command that was interrupted, as shells give it."""


def _add_question(parser: argparse.ArgumentParser, *, one_device: bool) -> None:
    """Add the options that every question about speed shares."""
    count = ["--devices", "--count"] if one_device else ["--count"]
    add = parser.add_argument
    add("--weights", metavar="形式", help="重みの形式（既定: そのエンジンで普通の形式、一覧: hayasa weights）")
    add("--context", default="0", metavar="数", help="すでに読んだトークンの数。8k は 8,000（既定: 0）")
    add("--batch", default="1", metavar="数", help="同時に進める系列の数（既定: 1）")
    add(
        "--engine",
        metavar="名前",
        help=f"エンジン: {'、'.join(ENGINES)}（既定: llama.cpp。それで動かない形式なら、動かせるもの）",
    )
    add("--backend", metavar="名前", help=f"計算に使うもの: {'、'.join(BACKENDS)}（既定: その機械で普通のもの）")
    unlike = "。違うものなら rtx-3090,rtx-3060 のように名前を並べる" if one_device else ""
    add(*count, dest="count", metavar="数", help=f"デバイスの台数（既定: 1）{unlike}")
    add(
        "--split",
        default="pipeline",
        metavar="分け方",
        help=f"複数台での分け方: {'、'.join(SPLITS)}（既定: pipeline）",
    )
    add("--prompt", metavar="数", help="プロンプトの長さ（既定: --context から --cached を引いた値、0 なら 512）")
    add("--cached", metavar="数", default="0", help="プロンプトの前にキャッシュにあるトークンの数（既定: 0）")
    add("--micro-batch", metavar="数", help="まとめて計算するプロンプトのトークン数（既定: そのエンジンの値）")
    add("--kv-cache", default="f16", metavar="形式", help="KV キャッシュの形式（既定: f16、一覧: hayasa weights）")
    add("--build", metavar="版", help="エンジンの版: 2025-06 のような年月か、b6100 のようなビルド番号（既定: 最新）")
    add(
        "--server",
        action=argparse.BooleanOptionalAction,
        help="サーバーの利用者が見る速さ（既定: エンジンの使われ方による。llama-bench で測る速さは --no-server）",
    )


def _add_split(parser: argparse.ArgumentParser) -> None:
    """Add the options for a model that the device has no room for."""
    add = parser.add_argument
    add(
        "--host",
        metavar="主記憶",
        help="GPU に入らない分を置く主記憶: ddr5-5600 x2、Ryzen 9 7950X 64GB、60 GB/s（実測）、"
        "2.9 tok/s（CPU だけの速さ）など。分け方を言わなければ、最も速くなるように分けます",
    )
    add(
        "--gpu-layers",
        "--n-gpu-layers",
        "-ngl",
        dest="gpu_layers",
        metavar="数",
        help="GPU に置く層の数。llama.cpp と同じく、出力の行列を 1 つと数えます",
    )
    experts = parser.add_mutually_exclusive_group()
    experts.add_argument("--n-cpu-moe", "-ncmoe", metavar="数", help="前から何層の専門家を CPU の側に置くか")
    experts.add_argument("--cpu-moe", "-cmoe", action="store_true", help="すべての層の専門家を CPU の側に置きます")


def _split(arguments: argparse.Namespace) -> dict[str, object]:
    """Turn the options of `_add_split` into keyword arguments of `hayasa.estimate`, those that were given."""
    found: dict[str, object] = {}
    if getattr(arguments, "host", None) is not None:
        found["host"] = arguments.host
    if getattr(arguments, "gpu_layers", None) is not None:
        found["gpu_layers"] = integer("--gpu-layers", arguments.gpu_layers)
    if getattr(arguments, "n_cpu_moe", None) is not None:
        found["cpu_moe_layers"] = integer("--n-cpu-moe", arguments.n_cpu_moe)
    if getattr(arguments, "cpu_moe", False):
        found["cpu_moe_layers"] = MAX_LAYERS
    return found


def _add_machines(parser: argparse.ArgumentParser) -> None:
    """Add the options of several devices that a measurement says nothing of."""
    add = parser.add_argument
    add("--tensor-split", metavar="比", help="違うデバイスへの層の分け方。3,1 のように書く（既定: メモリの量に比例）")
    add(
        "--link-latency",
        metavar="時間",
        help="別々の機械をつなぐとき、1 回の通信の待ち。1.7ms や 40us と書く（既定: 1 台の機械の中）",
    )


def _question(arguments: argparse.Namespace, devices: int | list[str]) -> dict[str, object]:
    """Turn the shared options into keyword arguments of `hayasa.estimate`."""
    prompt = arguments.prompt
    return {
        **_split(arguments),
        "weights": arguments.weights,
        "batch_size": integer("--batch", arguments.batch),
        "context_length": integer("--context", arguments.context),
        "engine": arguments.engine,
        "backend": arguments.backend,
        "devices": devices,
        "split": arguments.split,
        "prompt_length": None if prompt is None else integer("--prompt", prompt),
        "cached_tokens": integer("--cached", arguments.cached),
        "micro_batch": None if arguments.micro_batch is None else integer("--micro-batch", arguments.micro_batch),
        "kv_cache": arguments.kv_cache,
        "build": arguments.build,
        "server": arguments.server,
    }


def _model(arguments: argparse.Namespace, question: dict[str, object]) -> str | Model:
    """Return the model that was named or described, and let a file say how it is stored."""
    model, stored = model_of(arguments)
    if stored is not None:
        if question.get("weights") is not None:
            raise InvalidValueError("--weights は .gguf のファイルと一緒には使えません（形式はファイルが言います）。")
        question["weights"] = stored
    return model


def _question_of_machines(arguments: argparse.Namespace) -> tuple[str | Device | None, dict[str, object]]:
    """Return the machine and the rest of the question; of unlike machines the question has the names."""
    device, devices = machines_of(arguments)
    shares = None
    if arguments.tensor_split is not None:
        # argparse makes an empty list of the value --.
        parts = str(arguments.tensor_split).split(",")
        shares = [quantity("--tensor-split", part, {"": 1.0}, "3,1") for part in parts]
    latency = arguments.link_latency
    latency_s = None if latency is None else quantity("--link-latency", latency, LATENCIES, "1.7ms や 40us")
    return device, {**_question(arguments, devices), "device_shares": shares, "link_latency_s": latency_s}


def _ask(arguments: argparse.Namespace) -> Estimate:
    device, question = _question_of_machines(arguments)
    is_open = device is not None and _split(arguments).keys() == {"host"}
    ask: Callable[..., Estimate] = best_split if is_open else estimate
    return ask(_model(arguments, question), device, **question)


def _estimate_command(arguments: argparse.Namespace) -> None:
    result = _ask(arguments)
    if arguments.require_fit and result.fits is False:
        raise DoesNotFitError("\n".join(memory_lines(result)))
    answer, thinking = _answer_tokens(arguments)
    time = None if answer is None else answer_time(result, answer, thinking)
    if arguments.json:
        more = {"answer_time": {**time._asdict(), "total_s": time.total_s}} if time else {}
        print_json({**result.to_dict(), **more})
    else:
        print("\n".join(estimate_lines(result)))
        if time and answer:
            print("\n" + "\n".join(answer_lines(result, time, answer, thinking)))
    lines = memory_lines(result)
    if lines:
        print("注意: " + "\n".join(lines), file=sys.stderr)


def _answer_tokens(arguments: argparse.Namespace) -> tuple[int | None, int]:
    """Return how many tokens are answered, if that is asked, and thought before."""
    thinking = integer("--thinking", arguments.thinking)
    answer = None if arguments.answer is None else integer("--answer", arguments.answer)
    if answer is None and thinking:
        raise InvalidValueError("--thinking は --answer と一緒に指定してください。")
    return answer, thinking


def _add_answer(command: argparse.ArgumentParser, text: str) -> None:
    command.add_argument("--answer", metavar="数", help=f"回答のトークン数。{text}")
    command.add_argument("--thinking", default="0", metavar="数", help="回答の前に考えるトークン数（既定: 0）")


_POWERS = {
    "power_limit_w": ("--power-limit", "1 台の電力の上限（W）。nvidia-smi -pl の値"),
    "rated_power_w": ("--rated-power", "1 台の定格の電力（W、既定: 表の値）"),
    "host_power_w": ("--host-power", "デバイスのほかの部分の電力（W、既定: 普通の PC の値）"),
}
_PRICES = {
    "yen_per_kwh": ("--electricity", "電気代（円/kWh、既定: 表の目安）"),
    "machine_price_yen": ("--price", "買ったもの全部の値段（円、既定: 表にあれば 1 台の値段 × 台数）"),
    "years": ("--years", "機械を使う年数（既定: 4）"),
    "hours_per_day": ("--hours", "1 日に使う時間（既定: 4）"),
    "rent_usd_per_hour": ("--rent", "借りる値段（ドル/時/台、既定: 表にあれば）"),
    "yen_per_usd": ("--exchange", "1 ドルの円（既定: 表の値）"),
}


def _cost_command(arguments: argparse.Namespace) -> None:
    def given(options: Mapping[str, tuple[str, str]], units: Mapping[str, float], example: str) -> dict[str, float]:
        typed = {name: getattr(arguments, name) for name in options}
        return {
            name: quantity(options[name][0], text, units, example) for name, text in typed.items() if text is not None
        }

    answer, thinking = _answer_tokens(arguments)
    spent = energy(_ask(arguments), **given(_POWERS, POWERS, "250 や 250W"))
    price = cost(spent, **given(_PRICES, {"": 1.0}, "31 や 0.74"))
    used = None if answer is None else answer_energy(spent, answer, thinking)
    if arguments.json:
        print_json(cost_json(price, used))
    else:
        print("\n".join(cost_lines(price, used, answer or 0, thinking)))


def _explain_command(arguments: argparse.Namespace) -> None:
    print(explain(_ask(arguments)))


def _draft_command(arguments: argparse.Namespace) -> None:
    draft_command(arguments, _ask(arguments))


def _compare_command(arguments: argparse.Namespace) -> None:
    question = _question(arguments, count_of(arguments))
    model = _model(arguments, question)
    named = [name for text in arguments.devices or () for name in text.split(",") if name]
    results = [estimate(model, name, **question) for name in named or _devices_of(arguments)]  # type: ignore[arg-type]
    print_ranking(results, "device", as_csv=arguments.csv, as_json=arguments.json)


def _devices_of(arguments: argparse.Namespace) -> list[str]:
    """Ids of the devices that an engine runs on, with a backend if one is asked for."""
    engine, backend = get_engine(arguments.engine or DEFAULT_ENGINE), arguments.backend
    if not engine.backends:
        return list(device_rows())
    backends = {id_: engine.backends_on(get_device(id_)) for id_ in device_rows()}
    found = [id_ for id_, known in backends.items() if (backend in known if backend else known)]
    if not found:
        known = dict.fromkeys(one for several in backends.values() for one in several)
        raise InvalidValueError(
            f"--backend {backend} は engine {engine.id} にありません。使えるもの: {'、'.join(known)}。"
        )
    return found


def _choose_command(arguments: argparse.Namespace) -> None:
    question = _question(arguments, count_of(arguments))
    choose_command(arguments, _model(arguments, question), question)


def _formats_command(arguments: argparse.Namespace) -> None:
    model, _ = model_of(arguments)  # the question is which format
    formats_command(arguments, model, *_question_of_machines(arguments))


def _fit_command(arguments: argparse.Namespace) -> None:
    fit_command(arguments, *_question_of_machines(arguments))


def _check_command(arguments: argparse.Namespace) -> None:
    from .check import given, print_checks  # only this command needs it

    question = given(arguments)
    model = _model(arguments, question) if names_model(arguments) else None
    print_checks(arguments, model, _one_machine(arguments), question)


def _one_machine(arguments: argparse.Namespace) -> str | Device | None:
    """Return the machine that was measured, if the options name one."""
    if not names_device(arguments):
        return None
    device, _ = machines_of(arguments)
    if device is None:
        raise InvalidValueError("check は、違うデバイスを並べた測定には答えられません。")
    return device


def _matching(rows: Mapping[str, Mapping[str, str]], words: Sequence[str]) -> list[str]:
    """Ids of the rows that contain every word, in id, name or aliases."""
    found = []
    for id_, row in rows.items():
        names = [id_, row["name"], row.get("family", ""), *row.get("aliases", "").split("|")]
        beginnings = [name_key(name) for name in names]
        beginnings += [part for name in names for part in re.split(r"[\s\-_/()（）]+", name.lower())]
        # M4 is not in SXM4: a word has to stand at the beginning of one.
        if all(any(one.startswith((word.lower(), name_key(word))) for one in beginnings) for word in words):
            found.append(id_)
    if words and not found:
        raise InvalidValueError(f"{' '.join(words)} に合うものがありません。")
    return found


def _list(
    arguments: argparse.Namespace,
    rows: Mapping[str, Mapping[str, str]],
    header: Sequence[str],
    cells: Callable[[str, Mapping[str, str]], Sequence[str]],
    right: str,
) -> None:
    ids = _matching(rows, arguments.words)
    if arguments.json:
        print_json([dict(rows[id_]) for id_ in ids])
        return
    lines = [[id_, *cells(id_, rows[id_])] for id_ in ids]
    print("\n".join(table_lines(lines, header=["id", *header], right="l" + right)))


def _cell_scaled(row: Mapping[str, str], column: str, unit: str) -> str:
    text = row.get(column, "")
    return scaled(float(text), unit) if text else "-"


def _devices_command(arguments: argparse.Namespace) -> None:
    def cells(id_: str, row: Mapping[str, str]) -> list[str]:
        return [
            _cell_scaled(row, "memory_bandwidth_bytes_per_s", "B/s"),
            gibibytes(float(row["memory_bytes"])) if row["memory_bytes"] else "-",
            _cell_scaled(row, "peak_fp16_dense_flop_per_s", "FLOP/s"),
            row["name"],
        ]

    header = ["帯域幅", "メモリ", "fp16（密）", "名前"]
    _list(arguments, device_rows(), header, cells, "rrrl")


def _models_command(arguments: argparse.Namespace) -> None:
    def cells(id_: str, row: Mapping[str, str]) -> list[str]:
        model = get_model(id_)
        return [
            significant(total_parameters(model) / 1e9),
            significant(active_parameters(model) / 1e9),
            str(model.layers),
            row["name"],
        ]

    header = ["総数（10 億）", "使う数（10 億）", "層", "名前"]
    _list(arguments, model_rows(), header, cells, "rrrl")


def _weights_command(arguments: argparse.Namespace) -> None:
    def cells(id_: str, row: Mapping[str, str]) -> list[str]:
        return [significant(float(row["bits_per_weight"]), 4), row["kind"], row["name"]]

    _list(arguments, weight_format_rows(), ["bit/重み", "種類", "名前"], cells, "rll")


def _measure_command(arguments: argparse.Namespace) -> None:
    from ..measure import require_numpy, require_writable, run, to_json, write_record  # only this command needs it
    from ..measure.record import csv_rows
    from ..measure.report import record_lines

    require_numpy()
    if arguments.output is not None:
        require_writable(arguments.output)
    if arguments.device:
        get_device(arguments.device)  # refuse a wrong name before measuring, not after
    print("測っています（30 秒ほどかかります）…", file=sys.stderr)
    record = run()
    if arguments.json:
        print(to_json(record), end="")
    elif arguments.csv:
        csv.writer(sys.stdout, lineterminator="\n").writerows(csv_rows(record))
    else:
        print("\n".join(record_lines(record, arguments.device)))
    if arguments.output is not None:
        write_record(record, arguments.output)
        print(f"記録を {arguments.output} に書きました。", file=sys.stderr)
    elif not (arguments.json or arguments.csv):
        print("記録は残していません。残すには --output ファイル を付けて測ります。", file=sys.stderr)


_EXAMPLES = """例:
  hayasa estimate --model llama-3.1-8b --device apple-m4-pro-20c --weights q4_k_m --context 8192
  hayasa compare --model qwen3-30b-a3b --devices rtx-4090 rtx-5090 apple-m4-max-40c
  hayasa choose --model llama-3.3-70b --at-least 8 --context 8k
  hayasa formats --model gemma-3-27b --device rtx-3090 --context 8k
  hayasa fit --device apple-m4-10c --memory 16 --at-least 20 --weights any
  hayasa cost --model qwen3.6-27b --device rtx-3090 --power-limit 250 --answer 500
  hayasa explain --model gpt-oss-20b --device rtx-3090 --weights mxfp4
  hayasa estimate --model gpt-oss-120b --device rtx-3090 --host "ddr5-6000 x2 64GB"
  hayasa draft --model qwen3.6-27b --device rtx-5090 --weights q4_k_m --acceptance code
  hayasa check --model llama3.1-8b --device "RTX 4060 Ti" --measured 12.3
  hayasa estimate --model ~/models/my-model.gguf --device "RTX 4060 Ti 16GB"
  hayasa estimate --parameters 8B --weights q4_k_m --bandwidth 273 --memory 24
  llama-bench -m model.gguf | hayasa check - --device "RTX 4060 Ti"
"""


@cache  # nothing that is parsed changes it
def _parser() -> Parser:
    parser = Parser(
        prog="hayasa",
        description="LLM の推論の速さを、上限・最良の見積り・90%区間で答えます。",
        epilog=_EXAMPLES,
    )
    parser.add_version()
    commands = parser.add_subparsers(title="コマンド", metavar="コマンド", dest="command", parser_class=Parser)

    def add(name: str, text: str, run: Callable[[argparse.Namespace], None]) -> Parser:
        command: Parser = commands.add_parser(name, help=text, description=text)
        command.set_defaults(run=run)
        return command

    def add_pair(command: Parser) -> None:
        add_model(command)
        add_device(command)
        _add_question(command, one_device=True)
        _add_machines(command)
        _add_split(command)

    command = add("estimate", "モデルがデバイスでどれだけ速く動くかを見積ります", _estimate_command)
    add_pair(command)
    _add_answer(command, "回答が終わるまでの時間も答えます")
    command.add_argument("--json", action="store_true", help="JSON で出力します")
    command.add_argument("--require-fit", action="store_true", help="メモリに入らないときはエラーにします")
    command = add("explain", "見積りの計算を一つずつ、式とともに書き出します", _explain_command)
    add_pair(command)

    command = add(
        "draft", "続きを下書きしてまとめて確かめる方法（投機的デコーディング）の効果を答えます", _draft_command
    )
    add_pair(command)
    add_draft(command)
    command.add_argument("--json", action="store_true", help="JSON で出力します")

    command = add(
        "cost", "1 トークンのエネルギーと、100 万トークンの電気代、機械の代金、借り賃を答えます", _cost_command
    )
    add_pair(command)
    _add_answer(command, "一つの回答のエネルギーも答えます")
    for name, (option, text) in {**_POWERS, **_PRICES}.items():
        command.add_argument(option, dest=name, metavar="数", help=text)
    command.add_argument("--json", action="store_true", help="JSON で出力します")

    command = add("compare", "一つのモデルについて、デバイスを速い順に並べます", _compare_command)
    add_model(command)
    command.add_argument(
        "--devices", nargs="+", metavar="名前", help="比べるデバイス（既定: すべて、一覧: hayasa devices）"
    )
    _add_question(command, one_device=False)
    _add_formats(command)

    command = add("choose", "モデルが動くデバイスを、要るメモリとともに、速い順に並べます", _choose_command)
    add_model(command)
    command.add_argument("--devices", nargs="+", metavar="名前", help="選ぶ範囲（既定: すべて、一覧: hayasa devices）")
    add_at_least(command)
    _add_question(command, one_device=False)
    _add_split(command)
    _add_formats(command)

    command = add("formats", "モデルがデバイスに入る重みの形式を、大きい順に並べます", _formats_command)
    add_pair(command)
    add_at_least(command)
    _add_formats(command)

    command = add("fit", "デバイスに入るモデルを、大きい順に並べます", _fit_command)
    add_device(command)
    add_at_least(command)
    add_order(command)
    _add_question(command, one_device=True)
    _add_machines(command)
    _add_split(command)
    _add_formats(command)

    command = add("check", "測った速さが普通かどうかと、遅いときのよくある原因を答えます", _check_command)
    command.add_argument("report", nargs="?", metavar="ファイル", help="道具の出力を書いたファイル。- は標準入力")
    command.add_argument("--file", metavar="ファイル", help="同じ")
    command.add_argument("--measured", metavar="速さ", help="測った速さ（トークン/秒）。出力を渡さないとき")
    add_model(command)
    add_device(command)
    _add_question(command, one_device=True)
    command.set_defaults(weights=None, context=None, batch=None, engine=None, count=None, split=None, kv_cache=None)
    command.add_argument("--json", action="store_true", help="JSON で出力します")

    for name, text, run in (
        ("devices", "登録されたデバイスの一覧", _devices_command),
        ("models", "登録されたモデルの一覧", _models_command),
        ("weights", "登録された重みの形式の一覧", _weights_command),
    ):
        command = add(name, text, run)
        command.add_argument("words", nargs="*", metavar="語", help="この語を含むものに絞ります")
        command.add_argument("--json", action="store_true", help="出典も含めて JSON で出力します")
    command = add("calibrations", "補正と、その当てはまりの一覧", calibrations_command)
    command.add_argument("--json", action="store_true", help="JSON で出力します")

    command = add("measure", "この機械を測り、実測の隣に見積りを並べます", _measure_command)
    command.add_argument(
        "--device", default="", metavar="名前", help="公称の帯域幅と比べるデバイス（一覧: hayasa devices）"
    )
    command.add_argument(
        "--output",
        metavar="ファイル",
        help="記録を JSON で書くファイル（既定: 書きません）",
    )
    _add_formats(command)
    return parser


def _add_formats(command: Parser) -> None:
    formats = command.add_mutually_exclusive_group()
    formats.add_argument("--csv", action="store_true", help="CSV で出力します")
    formats.add_argument("--json", action="store_true", help="JSON で出力します")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command."""
    for stream in (sys.stdout, sys.stderr):
        # A console that cannot show a character shows another one in its place.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    parser = _parser()
    parsed = parser.parse_args(arguments)
    if parsed.command is None:
        parser.print_help()
        return 0
    try:
        parsed.run(parsed)
        if sys.stdout is not None:  # closed by who started it
            sys.stdout.flush()
    except HayasaError as error:
        fail(str(error))
    except BrokenPipeError:  # the reader, such as `head`, has seen enough
        sys.stdout = io.TextIOWrapper(io.BytesIO())  # nothing is left to be written at the end
    except OSError as error:
        sys.stdout = io.TextIOWrapper(io.BytesIO())
        fail(f"出力を書けません: {error.strerror}。")
    except KeyboardInterrupt:
        print("\n中断しました。", file=sys.stderr)
        return INTERRUPTED
    return 0
