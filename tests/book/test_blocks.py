"""The blocks that chapter 6 explains are the bytes that llama.cpp's own package writes and reads."""

import gguf
import numpy as np
import pytest
from gguf import GGMLQuantizationType as Type
from gguf import quants

from hayasa.book import blocks
from hayasa.errors import InvalidValueError


@pytest.fixture(scope="module")
def weights():
    rng = np.random.default_rng(seed=6)
    return rng.normal(0, 0.02, size=(64, 256)).astype(np.float32)


@pytest.mark.parametrize(("kind", "quantize"), [(Type.Q8_0, blocks.quantize_q8_0), (Type.Q4_0, blocks.quantize_q4_0)])
def test_quantized_blocks_are_the_same_bytes(weights, kind, quantize):
    ours = b"".join(quantize(block) for block in weights.reshape(-1, blocks.BLOCK))
    assert ours == quants.quantize(weights, kind).tobytes()


def test_a_block_of_zeros_stays_zero():
    zeros = np.zeros(blocks.BLOCK, np.float32)
    assert blocks.quantize_q8_0(zeros) == bytes(34)
    assert not blocks.dequantize_q4_0(blocks.quantize_q4_0(zeros)).any()


def test_q4_0_is_read_as_the_package_reads_it(weights):
    raw = quants.quantize(weights, Type.Q4_0)
    ours = [blocks.dequantize_q4_0(block.tobytes()) for block in raw.reshape(-1, 18)]
    assert np.array_equal(np.concatenate(ours).reshape(weights.shape), quants.dequantize(raw, Type.Q4_0))


def test_q4_k_is_read_as_the_package_reads_it():
    rng = np.random.default_rng(seed=6)
    raw = rng.integers(0, 256, size=(50, 144), dtype=np.uint8)
    raw[:, :4] = np.array([0.01, 0.02], np.float16).view(np.uint8)
    ours = [blocks.dequantize_q4_k(block.tobytes()) for block in raw]
    np.testing.assert_allclose(ours, quants.dequantize(raw, Type.Q4_K), rtol=0, atol=1e-6)


@pytest.mark.parametrize("name", ["q8_0", "q4_0", "q4_k", "q5_k", "q6_k", "q3_k", "q2_k", "iq4_xs", "iq1_s"])
def test_bits_of_a_block_are_the_packages(name):
    import hayasa

    size, n_bytes = gguf.GGML_QUANT_SIZES[Type[name.upper()]]
    form = {"q4_k": "q4_k_m", "q5_k": "q5_k_m", "q3_k": "q3_k_m"}.get(name, name)
    found = {rule.block.id: rule.block.bits_per_weight for rule in hayasa.get_weight_format(form).rules}
    assert found[name] == n_bytes * 8 / size


@pytest.mark.parametrize("quantize", [blocks.quantize_q8_0, blocks.quantize_q4_0])
@pytest.mark.parametrize("shape", [0, 31, 33, (2, 16)])
def test_another_number_of_weights_is_refused(quantize, shape):
    with pytest.raises(InvalidValueError, match="32 個"):
        quantize(np.zeros(shape, np.float32))


@pytest.mark.parametrize(("dequantize", "n_bytes"), [(blocks.dequantize_q4_0, 18), (blocks.dequantize_q4_k, 144)])
def test_another_number_of_bytes_is_refused(dequantize, n_bytes):
    with pytest.raises(InvalidValueError, match=f"{n_bytes} バイト"):
        dequantize(bytes(n_bytes - 1))
