# What `import hayasa` gives, each name once.  Type checkers and editors read this, and so does
# `__init__.py`, which imports a module when one of its names is first used.
from .answer.estimate import Estimate as Estimate
from .answer.estimate import estimate as estimate
from .answer.explain import explain as explain
from .catalog.measurements import measurements as measurements
from .catalog.objects import device_rows as device_rows
from .catalog.objects import get_device as get_device
from .catalog.objects import get_model as get_model
from .catalog.objects import get_weight_format as get_weight_format
from .catalog.objects import model_rows as model_rows
from .catalog.objects import weight_format_rows as weight_format_rows
from .engine.calibration import Calibration as Calibration
from .engine.calibration import calibrations as calibrations
from .engine.engines import ENGINES as ENGINES
from .engine.engines import Engine as Engine
from .engine.engines import get_engine as get_engine
from .errors import DataFileError as DataFileError
from .errors import DoesNotFitError as DoesNotFitError
from .errors import HayasaError as HayasaError
from .errors import InvalidValueError as InvalidValueError
from .errors import UnknownNameError as UnknownNameError
from .formulas import arithmetic_intensity_flop_per_byte as arithmetic_intensity_flop_per_byte
from .formulas import compute_latency_s as compute_latency_s
from .formulas import crossover_batch_size as crossover_batch_size
from .formulas import mbu as mbu
from .formulas import memory_latency_s as memory_latency_s
from .formulas import mfu as mfu
from .formulas import ridge_point_flop_per_byte as ridge_point_flop_per_byte
from .formulas import step_latency_bounds_s as step_latency_bounds_s
from .formulas import tokens_per_s as tokens_per_s
from .formulas import transfer_latency_s as transfer_latency_s
from .machine.device import Device as Device
from .machine.memory import max_batch_size as max_batch_size
from .machine.memory import max_context_length as max_context_length
from .machine.memory import memory_available_bytes as memory_available_bytes
from .machine.memory import memory_required_bytes as memory_required_bytes
from .machine.split import pipeline_step_s as pipeline_step_s
from .machine.split import tensor_parallel_step_s as tensor_parallel_step_s
from .model.flops import attention_flop_per_token as attention_flop_per_token
from .model.flops import flop_per_token as flop_per_token
from .model.flops import prefill_flop as prefill_flop
from .model.flops import weight_flop_per_token as weight_flop_per_token
from .model.kv_cache import kv_cache_bytes as kv_cache_bytes
from .model.kv_cache import kv_cache_bytes_per_token as kv_cache_bytes_per_token
from .model.shape import Model as Model
from .model.tensors import active_parameters as active_parameters
from .model.tensors import embedding_parameters as embedding_parameters
from .model.tensors import experts_touched as experts_touched
from .model.tensors import total_parameters as total_parameters
from .model.tensors import weight_tensors as weight_tensors
from .model.weights import TensorRule as TensorRule
from .model.weights import WeightFormat as WeightFormat
from .model.weights import weight_bytes_per_step as weight_bytes_per_step
from .model.weights import weight_bytes_resident as weight_bytes_resident

__version__: str
__all__: list[str]
